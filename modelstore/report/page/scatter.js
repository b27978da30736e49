// Proxies against final scores: how well each ranks the models of a dataset, and the scores themselves.

function proxiesView(page) {
  const section = byId('proxies');
  if (!page.proxies.total) {
    section.append(el('p', { class: 'empty' }, 'No model has both a proxy score and a final score on one dataset.'));
    return;
  }
  section.append(el('p', { class: 'note' }, 'The rank correlation (Spearman) of the newest proxy score of each model and its final score: 1 where the proxy ranks as training does.'),
    dataTable(page.proxies, { caption: 'Proxies by dataset', size: 8 }));
  if (!page.scatters.length) return;
  const drawing = el('div', {});
  const said = el('p', { class: 'note', role: 'status' });
  const behind = el('div', {});
  let shown = page.scatters[0];

  function draw(width) {
    const height = Math.min(380, Math.max(260, width * 0.5));
    const [left, right, top, bottom] = [52, 14, 12, 40];
    const bounds = (values) => {
      const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
      const room = (high - low) * 0.05 || Math.abs(high) * 0.02 || 0.05;
      return [low - room, high + room];
    };
    const [[x0, x1], [y0, y1]] = [bounds(shown.proxy_scores), bounds(shown.scores)];
    const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
    const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
    const chart = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${shown.proxy} against the final score of ${count(shown.models.length, 'model')} on ${shown.dataset}; the table below has the numbers.` });
    for (const at of ticks(y0, y1, 6)) chart.append(svg('line', { class: 'axis', x1: left, x2: width - right, y1: y(at), y2: y(at) }), svg('text', { class: 'quiet', x: left - 6, y: y(at) + 4, 'text-anchor': 'end' }, String(at)));
    for (const at of ticks(x0, x1, width < 500 ? 4 : 8)) chart.append(svg('text', { class: 'quiet', x: x(at), y: height - bottom + 18, 'text-anchor': 'middle' }, String(at)));
    chart.append(svg('text', { class: 'quiet', x: (left + width - right) / 2, y: height - 4, 'text-anchor': 'middle' }, `${shown.proxy} (up: final score)`));
    shown.models.forEach((name, at) => {
      const dot = svg('circle', { cx: x(shown.proxy_scores[at]), cy: y(shown.scores[at]), r: 4.5, fill: colour(0), opacity: 0.75 });
      dot.addEventListener('pointerenter', () => showTip(`${cut(name, 120)}: ${shown.proxy} ${score(shown.proxy_scores[at])}, final ${score(shown.scores[at])}`, dot.getBoundingClientRect()));
      dot.addEventListener('pointerleave', hideTip);
      chart.append(dot);
    });
    drawing.replaceChildren(chart);
  }
  function show(at) {
    shown = page.scatters[at];
    const row = page.proxies.rows.find((one) => one[0] === shown.proxy && one[1] === shown.dataset);
    said.textContent = `${count(row[2], 'model')}, rank correlation ${score(row[3])}` + (row[2] > shown.models.length ? `; the best ${many.format(shown.models.length)} are drawn` : '');
    if (drawing.clientWidth) draw(Math.floor(drawing.clientWidth));
    behind.replaceChildren(tableBehind('These scores as a table', () => dataTable({
      columns: [['model', 'name'], [shown.proxy, 'score'], ['final score', 'score']],
      rows: shown.models.map((name, place) => [name, shown.proxy_scores[place], shown.scores[place]]), total: shown.models.length,
    }, { caption: `${shown.proxy} and final scores` })));
  }
  const options = page.scatters.map((one, at) => el('option', { value: at }, `${one.proxy} on ${cut(one.dataset, 60)}`));
  put(section, el('div', { class: 'controls' }, el('label', {}, 'Draw ', el('select', { onchange: (event) => show(Number(event.target.value)) }, ...options))),
    el('figure', {}, said, drawing, behind),
    page.proxies.total > page.scatters.length ? el('p', { class: 'note' }, `The ${many.format(page.scatters.length)} pairs with the most models can be drawn.`) : null);
  show(0);
  drawnToWidth(drawing, draw);
}
