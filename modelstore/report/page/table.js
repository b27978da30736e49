// A table that can be searched and sorted, a page of rows at a time.

function dataTable(table, { caption, size = 25, choose, chosen, sort, search = true } = {}) {
  const folded = (row) => row.map((cell) => (cell == null ? '' : String(cell))).join('\n').toLowerCase();
  const texts = search ? table.rows.map(folded) : null;
  const state = { page: 0, by: sort ? sort[0] : null, down: sort ? sort[1] : false, sought: '' };
  let order = [];

  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  function arrange() {
    order = table.rows.map((_, row) => row);
    if (state.sought) order = order.filter((row) => texts[row].includes(state.sought));
    if (state.by === null) return;
    const numeric = isNumber(table.columns[state.by][1]) || table.columns[state.by][1] === 'yes';
    order.sort((one, other) => {
      const [a, b] = [table.rows[one][state.by], table.rows[other][state.by]];
      if (a == null || b == null) return (a == null) - (b == null);  // what is not known comes last either way
      return (state.down ? -1 : 1) * (numeric ? a - b : compare(a, b));
    });
  }

  const head = el('tr');
  const heads = table.columns.map(([title, kind], column) => {
    const cell = el('th', { scope: 'col', class: isNumber(kind) ? 'number' : null },
      el('button', { type: 'button', onclick: () => {
        state.down = state.by === column ? !state.down : isNumber(kind);
        Object.assign(state, { by: column, page: 0 });
        show();
      } }, title));
    head.append(cell);
    return cell;
  });
  const body = el('tbody');
  const said = el('p', { class: 'note', role: 'status' });
  const back = el('button', { type: 'button', onclick: () => { state.page -= 1; show(); } }, 'Previous');
  const on = el('button', { type: 'button', onclick: () => { state.page += 1; show(); } }, 'Next');

  function cellOf(value, kind) {
    if (value == null) return el('td', { class: isNumber(kind) ? 'number' : null }, '–');
    if (isNumber(kind)) return el('td', { class: 'number' }, WRITTEN[kind](value));
    if (kind === 'name') return el('td', { class: 'name', title: value.length > 80 ? value.slice(0, 2000) : null }, named(cut(value, 80)));
    if (kind === 'time') return el('td', { class: 'time' }, value);
    return el('td', {}, WRITTEN[kind] ? WRITTEN[kind](value) : named(cut(String(value), 400)));
  }

  function show() {
    arrange();
    const pages = Math.max(1, Math.ceil(order.length / size));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const rows = order.slice(state.page * size, (state.page + 1) * size);
    body.replaceChildren(...rows.map((row) => {
      const line = el('tr', { class: chosen && chosen(table.rows[row]) ? 'chosen' : null },
        ...table.rows[row].map((value, column) => cellOf(value, table.columns[column][1])));
      if (choose && choose.can(table.rows[row])) {
        const first = line.firstChild;
        first.replaceChildren(el('button', { type: 'button', 'aria-label': `${choose.label} ${first.textContent}`,
          onclick: () => { choose.take(table.rows[row]); show(); } }, first.textContent));
      }
      return line;
    }));
    heads.forEach((cell, column) => {
      if (state.by === column) cell.setAttribute('aria-sort', state.down ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    });
    back.disabled = state.page === 0;
    on.disabled = state.page >= pages - 1;
    back.hidden = on.hidden = pages === 1;
    const first = order.length ? state.page * size + 1 : 0;
    const cutOff = table.total > table.rows.length ? `; ${many.format(table.total - table.rows.length)} more are in the store` : '';
    said.textContent = state.sought && !order.length ? 'No row matches.'
      : `Rows ${many.format(first)}–${many.format(first + rows.length - (rows.length ? 1 : 0))} of ${many.format(order.length)}${cutOff}`;
  }

  const seek = search && table.rows.length > 8 ? el('label', {}, 'Search ', el('input', { type: 'search', oninput: (event) => {
    Object.assign(state, { sought: event.target.value.trim().toLowerCase(), page: 0 });
    show();
  } })) : null;
  show();
  return el('div', {},
    el('div', { class: 'controls' }, seek, back, on),
    el('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': caption },
      el('table', {}, el('caption', {}, caption), el('thead', {}, head), body)),
    said);
}

// A table behind a chart, made when it is first opened.
function tableBehind(title, make) {
  const behind = el('details', { ontoggle: () => { if (behind.open && behind.children.length === 1) behind.append(make()); } },
    el('summary', {}, title));
  return behind;
}
