// A selection: validation by stage, forecasts with their bands, who was dropped when and why, and what it cost.

const FATES = { kept: 'kept', won: 'won', dropped: 'dropped', failed: 'failed' };
const MARKS = {  // drawn around 0, 0
  won: 'M0-8 2.4-2.5 8-2.5 3.5 1 5 7 0 3.4-5 7-3.5 1-8-2.5-2.4-2.5Z',
  dropped: 'M-5-5 5 5M-5 5 5-5',
  failed: 'M0-6 6 5-6 5Z',
  kept: 'M0-4A4 4 0 1 1 0 4 4 4 0 1 1 0-4Z',
};
const DRAWN = 10;  // arms with a colour of their own

// A point is [stage, validation, predicted, deviation, action, reason].
function fateOf(race, arm) {
  const [stage, , , , action, reason] = arm.points[arm.points.length - 1];
  if (action === 'kept') return race.status === 'running' ? 'in the race' : `kept at stage ${stage}`;
  const what = action === 'won' ? 'won' : `${FATES[action] || action || 'decided'} at stage ${stage}`;
  return reason ? `${what}: ${reason}` : what;
}
const lastScore = (arm) => arm.points.map((point) => point[1]).filter((value) => value != null).pop();
const forecastOf = (arm) => arm.points.filter((point) => point[2] != null).pop();

function raceView(race) {
  const stages = Math.max(...race.arms.map((arm) => arm.points[arm.points.length - 1][0]), 1);
  const endOf = (stage) => (race.ends.length ? plain(race.ends[stage - 1]) : String(stage));
  const colourOf = (place) => (place < DRAWN ? colour(place) : 'var(--quiet)');
  const drawing = el('div', {});
  const items = race.arms.map((arm, place) => {
    const last = arm.points[arm.points.length - 1][4];
    const forecast = forecastOf(arm);
    const item = el('li', {},
      el('strong', {}, named(cut(arm.name, 60))), ` ${score(lastScore(arm))}`,
      forecast ? el('span', { class: 'note' }, ` forecast ${score(forecast[2])}${forecast[3] == null ? '' : ` ± ${score(forecast[3])}`}`) : null,
      el('span', { class: last === 'won' || last === 'failed' ? `fate ${last}` : 'fate', dir: 'auto' }, cut(fateOf(race, arm), 400)));
    item.style.borderLeftColor = colourOf(place);
    item.addEventListener('pointerenter', () => light(place));
    item.addEventListener('pointerleave', () => light(null));
    return item;
  });
  const winner = race.arms.findIndex((arm) => arm.points[arm.points.length - 1][4] === 'won');
  const resting = winner >= 0 ? winner : 0;
  let drawn = null;

  function light(place) {
    items.forEach((item, at) => item.classList.toggle('near', at === place));
    if (drawn) drawn(place);
  }

  function draw(width) {
    const height = Math.min(380, Math.max(260, width * 0.55));
    const [left, right, top, bottom] = [52, 14, 12, 40];
    const values = race.arms.flatMap((arm) => arm.points.flatMap((point) => [point[1], point[2]])).filter((value) => value != null);
    if (!values.length) {
      drawing.replaceChildren(el('p', { class: 'empty' }, 'No stage of it has a validation score.'));
      drawn = null;
      return;
    }
    let [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    const room = (high - low) * 0.06 || Math.abs(high) * 0.02 || 0.05;
    [low, high] = [low - room, high + room];
    const x = (stage) => (stages === 1 ? (left + width - right) / 2 : left + ((stage - 1) / (stages - 1)) * (width - left - right));
    const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - top - bottom);
    const chart = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': `Validation by stage of selection ${race.selection}. Arrow keys go through the models.` });
    const clip = `race-${race.selection}`;
    chart.append(svg('defs', {}, svg('clipPath', { id: clip }, svg('rect', { x: left, y: top, width: width - left - right, height: height - top - bottom }))));
    for (const at of ticks(low, high, 6)) {
      chart.append(svg('line', { class: 'axis', x1: left, x2: width - right, y1: y(at), y2: y(at) }),
        svg('text', { class: 'quiet', x: left - 6, y: y(at) + 4, 'text-anchor': 'end' }, String(at)));
    }
    const every = Math.ceil((stages * 44) / (width - left - right));
    for (let stage = 1; stage <= stages; stage += every) {
      chart.append(svg('text', { class: 'quiet', x: x(stage), y: height - bottom + 18, 'text-anchor': 'middle' }, endOf(stage)));
    }
    chart.append(svg('text', { class: 'quiet', x: (left + width - right) / 2, y: height - 4, 'text-anchor': 'middle' }, race.ends.length ? 'epochs at the end of the stage' : 'stage'));
    const bands = svg('g', { 'clip-path': `url(#${clip})`, 'aria-hidden': 'true' });
    const lines = svg('g', { 'aria-hidden': 'true' });
    const marks = svg('g', { class: 'marks' });
    chart.append(bands, lines, marks);
    const ends = [];
    race.arms.forEach((arm, place) => {
      const seen = arm.points.filter((point) => point[1] != null);
      const line = svg('g', { stroke: colourOf(place), fill: colourOf(place) },
        svg('polyline', { points: seen.map((point) => `${x(point[0])},${y(point[1])}`).join(' '), fill: 'none', 'stroke-width': place === winner ? 3 : 1.6 }),
        ...seen.slice(0, -1).map((point) => svg('circle', { cx: x(point[0]), cy: y(point[1]), r: 2.2, stroke: 'none' })));
      lines.prepend(line);  // those that stayed longest are seen above the others
      const point = seen[seen.length - 1];
      if (!point) { ends.push({ line, mark: null }); return; }
      const last = arm.points[arm.points.length - 1][4];
      const words = `${arm.name}, ${score(point[1])}: ${fateOf(race, arm)}`;
      const mark = svg('g', { transform: `translate(${x(point[0])} ${y(point[1])})`, tabindex: place === resting ? 0 : -1, role: 'img', 'aria-label': words },
        svg('circle', { class: 'ring', r: 12 }),
        svg('path', { d: MARKS[last] || MARKS.kept, stroke: colourOf(place), 'stroke-width': 2, fill: last === 'dropped' ? 'none' : colourOf(place) }));
      const near = () => { light(place); showTip(cut(words, 500), mark.getBoundingClientRect()); };
      const away = () => { light(null); hideTip(); };
      mark.addEventListener('pointerenter', near);
      mark.addEventListener('pointerleave', away);
      mark.addEventListener('focus', near);
      mark.addEventListener('blur', away);
      mark.addEventListener('keydown', (event) => {
        const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
        if (event.key === 'Escape') hideTip();
        if (!step) return;
        event.preventDefault();
        let to = place;
        do to = (to + step + ends.length) % ends.length; while (!ends[to].mark);
        ends.forEach((end) => end.mark && end.mark.setAttribute('tabindex', -1));
        ends[to].mark.setAttribute('tabindex', 0);
        ends[to].mark.focus();
      });
      marks.prepend(mark);
      ends.push({ line, mark });
    });
    drawn = (place) => {
      ends.forEach((end, at) => {
        const faded = place !== null && at !== place;
        end.line.classList.toggle('faded', faded);
        if (end.mark) end.mark.classList.toggle('faded', faded);
      });
      const shown = place === null ? resting : place;
      bands.replaceChildren(...forecastBand(race.arms[shown], colourOf(shown), x, y));
    };
    drawn(null);
    drawing.replaceChildren(chart);
  }
  drawnToWidth(drawing, draw);

  const has = (part) => race.arms.some((arm) => arm.points.some((point) => point[part] != null));
  const cutOff = race.total > race.arms.length ? el('p', { class: 'note' },
    `The ${race.arms.length} of ${count(race.total, 'model')} that stayed longest are shown.`) : null;
  const rows = race.arms.flatMap((arm) => arm.points.map(([stage, validation, predicted, deviation, action, reason]) =>
    [stage, race.ends.length ? race.ends[stage - 1] : null, arm.name, validation, predicted, deviation, action, reason]));
  const columns = [['stage', 'count'], ['epochs', 'number'], ['model', 'name'], ['validation', 'score'], ['forecast', 'score'],
    ['± one deviation', 'score'], ['decision', 'text'], ['reason', 'text']];
  return el('figure', {},
    el('figcaption', {}, `★ won, × dropped, ▲ failed, ● still in.${has(2) ? ' The dashed line is the forecast of the final score after each stage, of the model that is pointed at or of the first.' : ''}${has(3) ? ' Its band is one standard deviation either way.' : ''}`),
    el('div', { class: 'race' }, drawing, el('ul', { class: 'arms', tabindex: '0', 'aria-label': 'The models, those that stayed longest first' }, ...items)),
    cutOff,
    costView(race.cost),
    tableBehind('All decisions as a table', () => dataTable({ columns, rows, total: rows.length }, { caption: `Decisions of selection ${race.selection}`, sort: [0, false] })));
}

function forecastBand(arm, stroke, x, y) {
  const told = arm.points.filter((point) => point[2] != null);
  const sure = told.filter((point) => point[3] != null);
  const parts = [];
  if (sure.length > 1) {
    const above = sure.map((point) => `${x(point[0])},${y(point[2] + point[3])}`);
    const below = sure.map((point) => `${x(point[0])},${y(point[2] - point[3])}`).reverse();
    parts.push(svg('polygon', { points: [...above, ...below].join(' '), fill: stroke, opacity: 0.18 }));
  }
  for (const point of sure) {
    parts.push(svg('line', { x1: x(point[0]), x2: x(point[0]), y1: y(point[2] + point[3]), y2: y(point[2] - point[3]), stroke, 'stroke-width': 5, opacity: 0.35 }));
  }
  parts.push(svg('polyline', { points: told.map((point) => `${x(point[0])},${y(point[2])}`).join(' '), fill: 'none', stroke, 'stroke-dasharray': '5 4', 'stroke-width': 1.6 }));
  parts.push(...told.map((point) => svg('circle', { cx: x(point[0]), cy: y(point[2]), r: 3, fill: 'var(--ground)', stroke })));
  return parts;
}

function costView(cost) {
  const bars = el('div', { class: 'bars' });
  const row = (label, own, brute, write) => {
    const most = Math.max(own || 0, brute || 0) || 1;
    for (const [who, value, kind] of [['this selection', own, 'bar own'], ['brute force', brute, 'bar']]) {
      if (value == null) continue;
      const bar = el('div', { class: kind, 'aria-hidden': 'true' });
      bar.style.width = `${(value / most) * 60}%`;
      bars.append(el('span', {}, `${label}, ${who}`), el('span', { class: 'track' }, bar, write(value)));
    }
  };
  row('Epochs', cost.epochs, cost.brute_epochs, plain);
  row('Time', cost.seconds, cost.brute_seconds, (value) => (value === cost.brute_seconds && value !== cost.seconds ? `about ${duration(value)}` : duration(value)));
  const said = cost.brute_epochs == null ? 'What brute force would have cost is not known: the log does not say how long a whole training is.'
    : `Brute force would train each of the ${count(cost.arms, 'model')} that began for ${plain(cost.whole)} epochs`
      + (cost.brute_seconds == null ? '.' : '; its time is at the pace of this selection.');
  return el('div', {}, el('h3', {}, 'What it cost'), bars.children.length ? bars : null, el('p', { class: 'note' }, said));
}

function selectionsView(page) {
  const section = byId('selections');
  if (!page.selections.total) {
    section.append(el('p', { class: 'empty' }, 'There is no selection yet: ', el('code', {}, 'SELECT BEST MODEL FOR dataset'), ' makes one.'));
    return;
  }
  const races = new Map(page.races.map((race) => [race.selection, race]));
  const shown = el('div', { 'aria-live': 'off' });
  const before = Number(remembered('race'));
  let chosen = races.has(before) ? before : page.races.length ? page.races[0].selection : null;
  function show(number) {
    chosen = number;
    const race = races.get(number);
    shown.replaceChildren();
    put(shown, el('h3', { id: 'race' }, `Selection ${race.selection}: `, named(cut(race.title, 200)), `, ${race.status}`),
      race.winner ? el('p', {}, 'It chose ', el('strong', {}, named(cut(race.winner, 200))), '.') : null,
      race.reason ? el('p', { class: 'note', dir: 'auto' }, cut(race.reason, 1000)) : null,
      raceView(race));
  }
  const table = dataTable(page.selections, {
    caption: 'Selections, the newest first; a number opens its race', size: 8, search: page.selections.rows.length > 8,
    choose: { label: 'Show the race of selection', can: (row) => races.has(row[0]), take: (row) => { show(row[0]); remembered('race', String(row[0])); } },
    chosen: (row) => row[0] === chosen,
  });
  section.append(table);
  if (page.selections.rows.length > races.size && races.size) {
    section.append(el('p', { class: 'note' }, `The races of the newest ${many.format(races.size)} selections with a finished stage can be opened.`));
  }
  if (chosen === null) section.append(el('p', { class: 'empty' }, 'No selection has finished a stage yet.'));
  else show(chosen);
  section.append(shown);
}
