// The dendrogram: how average linkage joins the models, by 1 − similarity.

const leafName = ([name, models]) => (models > 1 ? `${cut(name, 40)} and ${many.format(models - 1)} more` : cut(name, 50));

function treeView(page) {
  const section = byId('dendrogram');
  const tree = page.tree;
  const made = page.clusters_by
    ? `The clusters on record are by ${page.clusters_by}.`
    : page.counts.clusters ? 'How the clusters on record were made is not known.' : 'There are no clusters yet: CLUSTER MODELS makes them.';
  section.append(el('p', { class: 'note' }, made));
  if (!tree) {
    section.append(el('p', { class: 'empty' }, 'A dendrogram needs the results of two models or more.'));
    return;
  }
  const grouped = tree.models > tree.leaves.length ? ` ${count(tree.models, 'model')} are ${many.format(tree.leaves.length)} leaves: those that join first are one, named by its best model.` : '';
  const missing = page.heat_map.of_models > tree.models ? ' It is of the models of the matrix above.' : '';
  const drawing = el('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Drawing of the dendrogram' });
  // A leaf is [name, models, cluster, height], and a merger [height, branch, other branch]: leaves are branches from 0 on,
  // and mergers follow. No height: no dataset in common.
  const branches = tree.leaves.map((leaf, place) => ({ place, height: leaf[3], of: leafName(leaf), name: leafName(leaf) }));
  for (const [height, first, second] of tree.mergers) {
    const [one, two] = [branches[first], branches[second]];
    branches.push({ place: (one.place + two.place) / 2, height, of: one.of, name: `the branch of ${one.of}`, one, two });
  }
  const heights = tree.mergers.map((merger) => merger[0]).filter((height) => height != null);
  const top = Math.max(...heights, tree.threshold || 0, 1e-9) * 1.05;

  function draw(width) {
    const label = width < 500 ? 130 : 270;
    const [step, above] = [18, 28];
    const height = above + step * tree.leaves.length + 6;
    const right = width - 14;
    const x = (at) => label + ((at == null ? top * 1.06 : at) / (top * 1.08)) * (right - label);
    const y = (place) => above + (place + 0.5) * step;
    const chart = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `Dendrogram of ${count(tree.models, 'model')}; the table below has its joins.` });
    for (const at of ticks(0, top, width < 500 ? 3 : 6)) {
      chart.append(svg('line', { class: 'axis', x1: x(at), x2: x(at), y1: above, y2: height }), svg('text', { class: 'quiet', x: x(at), y: 16, 'text-anchor': 'middle' }, String(at)));
    }
    const lines = svg('g', { fill: 'none', stroke: 'var(--ink)', 'stroke-width': 1.3 });
    for (const { height: at, one, two } of branches.slice(tree.leaves.length)) {
      lines.append(svg('path', { d: `M${x(one.height)} ${y(one.place)}H${x(at)}V${y(two.place)}H${x(two.height)}`, 'stroke-dasharray': at == null ? '4 3' : null }));
    }
    chart.append(lines);
    if (tree.threshold != null) {
      chart.append(svg('line', { x1: x(tree.threshold), x2: x(tree.threshold), y1: above - 8, y2: height, stroke: 'var(--bad)', 'stroke-dasharray': '6 4', 'stroke-width': 1.6 }, svg('title', {}, `cut at ${tree.threshold}`)));
    }
    const most = Math.floor((label - 24) / 6.4);
    tree.leaves.forEach((leaf, place) => {
      const text = svg('text', { x: label - 14, y: y(place) + 4, 'text-anchor': 'end' }, svg('title', {}, leafName(leaf)), cut(leafName(leaf), most));
      chart.append(text);
      if (leaf[2]) chart.append(svg('rect', { x: label - 9, y: y(place) - 6, width: 6, height: 12, rx: 2, fill: colour(leaf[2] - 1) }));
    });
    drawing.replaceChildren(chart);
  }
  drawnToWidth(drawing, draw);
  const apart = tree.mergers.some((merger) => merger[0] == null) ? ' Dashed branches have no dataset in common.' : '';
  const where = tree.threshold == null ? '' : ` The clusters were cut at ${plain(tree.threshold)}, the dashed line.`;
  section.append(el('figure', {},
    el('figcaption', {}, `By 1 − similarity of their scores; colours are clusters.${where}${apart}${grouped}${missing}`),
    drawing,
    tableBehind('The joins as a table', () => {
      const rows = branches.slice(tree.leaves.length).map(({ height, one, two }) => [height, one.name, two.name]);
      return dataTable({ columns: [['1 − similarity', 'score'], ['joins', 'name'], ['with', 'name']], rows, total: rows.length }, { caption: 'Joins, the nearest first; without a number: no dataset in common' });
    })));
}
