// Draws the page from its data.

const page = JSON.parse(byId('data').textContent);

const COUNTED = [['models', 'registered models'], ['datasets', 'registered datasets'], ['results', 'results'], ['curves', 'training curves'],
  ['proxy_scores', 'proxy scores'], ['clusters', 'clusters'], ['selections', 'selections']];
byId('counts').append(...COUNTED.map(([key, title]) => el('div', {}, el('dt', {}, title), el('dd', {}, many.format(page.counts[key])))));

function tableView(id, table, caption, empty) {
  byId(id).append(table.total ? dataTable(table, { caption, size: 20 }) : el('p', { class: 'empty' }, ...empty));
}

selectionsView(page);
heatMapView(page);
treeView(page);
tableView('models', page.models, 'Models, registered or on record, the best mean first', ['There is no model yet: ', el('code', {}, "CREATE MODEL name FROM 'uri'"), ' registers one.']);
tableView('datasets', page.datasets, 'Datasets, registered or on record', ['There is no dataset yet: ', el('code', {}, "CREATE DATASET name FROM 'uri'"), ' registers one.']);
proxiesView(page);
document.addEventListener('keydown', (event) => { if (event.key === 'Escape') hideTip(); });

// A page that is being renewed loads itself again, unless the reader has stopped that or is typing.
if (page.renew) {
  const follow = el('input', { type: 'checkbox', checked: remembered('follow') !== 'no', onchange: () => remembered('follow', follow.checked ? 'yes' : 'no') });
  byId('renewal').hidden = false;
  byId('renewal').append(el('label', {}, follow, ` Load again every ${plain(page.renew)} seconds, as the page is being renewed`));
  setInterval(() => {
    const typing = document.activeElement && document.activeElement.matches('input[type=search]') && document.activeElement.value;
    if (follow.checked && !typing && !document.hidden) location.reload();
  }, page.renew * 1000);
}
