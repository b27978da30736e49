// The performance matrix, drawn on a canvas as far as it is in view; arrow keys read it cell by cell.

// Viridis (van der Walt & Smith), at nine of its values.
const SCALE = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const SHADES = Array.from({ length: 256 }, (_, at) => {
  const place = (at / 255) * (SCALE.length - 1);
  const low = Math.min(Math.floor(place), SCALE.length - 2);
  return `rgb(${SCALE[low].map((value, part) => Math.round(value + (SCALE[low + 1][part] - value) * (place - low))).join(' ')})`;
});
const NO_SCORE = 65535;
const FONT = '11px system-ui, sans-serif';

function heatMapView(page) {
  const section = byId('matrix');
  const map = page.heat_map;
  if (!map) {
    section.append(el('p', { class: 'empty' }, 'There are no results yet: ', el('code', {}, 'BENCHMARK MODELS ON …'), ' or ', el('code', {}, 'COPY benchmark_results FROM …'), ' stores some.'));
    return;
  }
  const bytes = Uint8Array.from(atob(map.cells), (sign) => sign.charCodeAt(0));
  const cells = new DataView(bytes.buffer);
  const [rows, columns] = [map.models.length, map.datasets.length];
  const stepAt = (row, column) => cells.getUint16(2 * (row * columns + column), true);
  const scoreAt = (row, column) => {
    const step = stepAt(row, column);
    return step === NO_SCORE ? null : map.low[column] + ((map.high[column] - map.low[column]) * step) / (NO_SCORE - 1);
  };
  const [low, high] = [Math.min(...map.low), Math.max(...map.high)];
  const fine = { cell: null, byDataset: false, readable: rows <= 40 && columns <= 60 };

  const others = page.other_recipes.length ? ` Results of other recipes (${cut(page.other_recipes.join(', '), 200)}) are not shown.` : '';
  const cutModels = map.of_models > rows ? ` The ${many.format(rows)} of ${count(map.of_models, 'model')} with the best means are shown.` : '';
  const cutDatasets = map.of_datasets > columns ? ` The ${many.format(columns)} of ${count(map.of_datasets, 'dataset')} with the most models are shown.` : '';
  section.append(el('p', { class: 'note' }, `Scores of the recipe “${cut(page.recipe, 80)}”, a row a model and a column a dataset, by cluster and then by mean.${others}${cutModels}${cutDatasets}`));

  const shadeOf = (row, column) => {
    const [floor, top] = fine.byDataset ? [map.low[column], map.high[column]] : [low, high];
    return SHADES[top > floor ? Math.round(((scoreAt(row, column) - floor) / (top - floor)) * 255) : 128];
  };
  const canvas = el('canvas', { 'aria-hidden': 'true' });
  const space = el('div', {}, canvas);
  const help = 'heat-map-help';
  const readout = el('output', { class: 'readout', 'aria-live': 'polite' });
  const box = el('div', { class: 'cells', tabindex: '0', role: 'application', 'aria-roledescription': 'heat map', 'aria-label': `Heat map of ${count(rows, 'model')} on ${count(columns, 'dataset')}`, 'aria-describedby': help }, space);
  let size = null;

  // Where rows and columns are wide enough for their names, there is a margin for these.
  function measure(width) {
    const beside = Math.min(width < 500 ? 90 : 190, longest(map.models) + 16);
    const over = Math.min(110, longest(map.datasets) + 14);
    const down = fine.readable ? 18 : Math.max(1, Math.min(18, 520 / rows));
    const left = down >= 11 ? beside : 12;
    const across = Math.max(fine.readable ? 18 : 3, Math.min(26, (width - 2 - left) / columns));
    const above = across >= 11 ? over : 4;
    size = { left, above, across, down };
    const [wide, high] = [left + columns * across, above + rows * down];
    const shown = Math.min(high, Math.max(240, window.innerHeight * 0.75)) + (wide > width ? 16 : 0);
    box.style.height = `${shown + 2}px`;
    space.style.width = `${wide}px`;
    space.style.height = `${high}px`;
  }

  function draw() {
    if (!size) return;
    const [width, height] = [box.clientWidth, box.clientHeight];
    const dense = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const style = getComputedStyle(document.body);
    const [ink, ground] = ['--ink', '--ground'].map((name) => style.getPropertyValue(name));
    const at = canvas.getContext('2d');
    at.setTransform(dense, 0, 0, dense, 0, 0);
    at.fillStyle = ground;
    at.fillRect(0, 0, width, height);
    const { left, above, across, down } = size;
    const [scrolled, sunk] = [box.scrollLeft, box.scrollTop];
    const [firstRow, lastRow] = [Math.floor(sunk / down), Math.min(rows, Math.ceil((sunk + height - above) / down))];
    const [firstColumn, lastColumn] = [Math.floor(scrolled / across), Math.min(columns, Math.ceil((scrolled + width - left) / across))];
    const gap = across >= 8 && down >= 8 ? 1 : 0;
    at.save();
    at.beginPath();
    at.rect(left, above, width - left, height - above);
    at.clip();
    for (let row = firstRow; row < lastRow; row += 1) {
      for (let column = firstColumn; column < lastColumn; column += 1) {
        if (stepAt(row, column) === NO_SCORE) continue;
        at.fillStyle = shadeOf(row, column);
        at.fillRect(left + column * across - scrolled, above + row * down - sunk, across - gap + (gap ? 0 : 0.5), down - gap + (gap ? 0 : 0.5));
      }
    }
    if (fine.cell) {
      at.strokeStyle = ink;
      at.lineWidth = 2;
      at.strokeRect(left + fine.cell[1] * across - scrolled, above + fine.cell[0] * down - sunk, Math.max(across, 4), Math.max(down, 4));
    }
    at.restore();
    at.font = FONT;
    at.textBaseline = 'middle';
    for (let row = firstRow; row < lastRow; row += 1) {
      const y = above + row * down - sunk;
      const cluster = map.clusters[row];
      if (cluster) {
        at.fillStyle = style.getPropertyValue(`--c${(cluster - 1) % 10}`);
        at.fillRect(left - 6, Math.max(y, above), 4, Math.max(0, down - Math.max(above - y, 0)));
      }
      if (row && cluster !== map.clusters[row - 1] && down >= 2 && y > above) {
        at.fillStyle = ink;
        at.fillRect(left - 8, y - 0.5, 8 + Math.min(columns * across - scrolled, width), 1);
      }
      if (down >= 11 && y + down / 2 > above) {
        at.fillStyle = ink;
        at.textAlign = 'right';
        at.direction = 'ltr';
        at.fillText(fitted(at, map.models[row], left - 14), left - 10, y + down / 2);
      }
    }
    if (across >= 11) {
      at.fillStyle = ink;
      at.textAlign = 'left';
      for (let column = firstColumn; column < lastColumn; column += 1) {
        const x = left + (column + 0.5) * across - scrolled;
        if (x < left) continue;
        at.save();
        at.translate(x, above - 6);
        at.rotate(-Math.PI / 2);
        at.fillText(fitted(at, map.datasets[column], above - 12), 0, 0);
        at.restore();
      }
    }
  }

  function longest(texts) {
    const at = canvas.getContext('2d');
    at.font = FONT;
    return texts.reduce((most, text) => Math.max(most, text.length > 60 ? Infinity : at.measureText(text).width), 0);
  }
  const names = new Map();
  function fitted(at, name, most) {
    const key = `${most} ${name}`;
    if (!names.has(key)) {
      let short = cut(name, 60);
      while (short.length > 2 && at.measureText(short).width > most) short = cut(short.replace(/…$/, ''), Math.max(2, Array.from(short).length - 2));
      names.set(key, short);
    }
    return names.get(key);
  }

  function read(row, column) {
    fine.cell = [row, column];
    const value = scoreAt(row, column);
    const cluster = map.clusters[row] ? `, cluster ${map.clusters[row]}` : '';
    readout.replaceChildren(named(cut(map.models[row], 120)), ' on ', named(cut(map.datasets[column], 120)), `: ${value == null ? 'no score' : score(value)}${cluster}`);
    draw();
  }
  box.addEventListener('scroll', () => requestAnimationFrame(draw));
  box.addEventListener('pointermove', (event) => {
    if (!size) return;
    const place = box.getBoundingClientRect();
    const column = Math.floor((event.clientX - place.left - box.clientLeft - size.left + box.scrollLeft) / size.across);
    const row = Math.floor((event.clientY - place.top - box.clientTop - size.above + box.scrollTop) / size.down);
    const inside = event.clientX - place.left > size.left && event.clientY - place.top > size.above;
    if (inside && row >= 0 && row < rows && column >= 0 && column < columns) read(row, column);
  });
  box.addEventListener('keydown', (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-20, 0], PageDown: [20, 0], Home: [-rows, -columns], End: [rows, columns] }[event.key];
    if (!step || !size) return;
    event.preventDefault();
    const [row, column] = fine.cell ? [fine.cell[0] + step[0], fine.cell[1] + step[1]] : [0, 0];
    const to = [Math.min(Math.max(row, 0), rows - 1), Math.min(Math.max(column, 0), columns - 1)];
    const [x, y] = [to[1] * size.across, to[0] * size.down];
    box.scrollLeft = Math.min(Math.max(box.scrollLeft, x + size.across - (box.clientWidth - size.left)), x);
    box.scrollTop = Math.min(Math.max(box.scrollTop, y + size.down - (box.clientHeight - size.above)), y);
    read(...to);
  });

  const redraw = () => { measure(Math.floor(section.clientWidth)); draw(); };
  const bar = el('canvas', { width: 120, height: 12, 'aria-hidden': 'true' });
  SHADES.forEach((shade, at) => { const on = bar.getContext('2d'); on.fillStyle = shade; on.fillRect((at * 120) / 256, 0, 1, 12); });
  const [least, most] = [el('span', {}, score(low)), el('span', {}, score(high))];
  put(section, el('div', { class: 'controls' },
    el('label', {}, 'Colour ', el('select', { onchange: (event) => {
      fine.byDataset = event.target.value === 'dataset';
      least.textContent = fine.byDataset ? 'least of the dataset' : score(low);
      most.textContent = fine.byDataset ? 'best of the dataset' : score(high);
      draw();
    } }, el('option', { value: 'score' }, 'by score'), el('option', { value: 'dataset' }, 'within each dataset'))),
    el('label', {}, el('input', { type: 'checkbox', checked: fine.readable, onchange: (event) => { fine.readable = event.target.checked; redraw(); } }), 'readable rows'),
    el('span', { class: 'legend' }, least, bar, most, map.cells && hasHoles() ? '; empty: no score' : null)),
  el('p', { class: 'note', id: help }, 'Point at a cell, or use the arrow keys, to read it.'), readout, box,
  tableBehind('The matrix as a table', () => dataTable({
    columns: [['model', 'name'], ['cluster', 'count'], ...map.datasets.map((name) => [cut(name, 40), 'score'])],
    rows: map.models.map((name, row) => [name, map.clusters[row] || null, ...map.datasets.map((_, column) => scoreAt(row, column))]),
    total: rows,
  }, { caption: 'Scores by model and dataset' })));
  function hasHoles() {
    for (let at = 0; at < bytes.length; at += 2) if (bytes[at] === 255 && bytes[at + 1] === 255) return true;
    return false;
  }
  drawnToWidth(section, redraw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}
