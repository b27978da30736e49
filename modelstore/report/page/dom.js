// Makes elements, and writes numbers and names. Text of others only ever becomes a text node or an attribute.

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  return put(node, ...children);
}
// Appends what is there: null stands for a part that is left out.
function put(node, ...children) {
  node.append(...children.filter((child) => child != null));
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const byId = (id) => document.getElementById(id);

// A name may run from right to left: it is set apart, so that what stands beside it keeps its place.
const named = (name) => el('bdi', {}, name);

const segmenter = window.Intl && Intl.Segmenter ? new Intl.Segmenter() : null;
function cut(text, most) {
  if (text.length <= most) return text;
  const start = text.slice(0, most * 8);
  const signs = segmenter ? Array.from(segmenter.segment(start), (one) => one.segment) : Array.from(start);
  return signs.length <= most && start === text ? text : signs.slice(0, most - 1).join('') + '…';
}

const many = new Intl.NumberFormat('en');
const count = (number, noun) => `${many.format(number)} ${noun}${number === 1 ? '' : 's'}`;
const score = (number) => (number == null ? '–' : Math.abs(number) >= 100 ? number.toFixed(2) : number.toFixed(4));
const plain = (number) => (number == null ? '–' : many.format(Number(number.toPrecision(4))));
function duration(seconds) {
  if (seconds == null) return '–';
  if (seconds < 60) return `${Number(seconds.toPrecision(2))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${many.format(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}
const WRITTEN = {
  count: (value) => many.format(value),
  number: plain,
  score,
  share: (value) => `${Math.round(value * 100)} %`,
  seconds: duration,
  yes: (value) => (value ? 'yes' : 'no'),
};
const isNumber = (kind) => ['count', 'number', 'score', 'share', 'seconds'].includes(kind);

const colour = (place) => `var(--c${((place % 10) + 10) % 10})`;

// A box beside what the pointer or the focus is on.
const tip = el('div', { class: 'tip', role: 'tooltip', hidden: true });
document.body.append(tip);
function showTip(text, box) {
  tip.textContent = text;
  tip.hidden = false;
  const size = tip.getBoundingClientRect();
  const left = Math.min(Math.max(box.left, 4), window.innerWidth - size.width - 4);
  const above = box.top - size.height - 8;
  tip.style.left = `${Math.max(left, 4)}px`;
  tip.style.top = `${above > 0 ? above : box.bottom + 8}px`;
}
const hideTip = () => { tip.hidden = true; };

// Draws at once, and again whenever the element's width changes.
function drawnToWidth(node, draw) {
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.floor(node.clientWidth);
    if (now && now !== width) { width = now; requestAnimationFrame(() => draw(width)); }
  }).observe(node);
}

// The steps of an axis between two values, at most so many: 1, 2 or 5 times a power of ten.
function ticks(low, high, most) {
  const rough = (high - low) / Math.max(most, 1) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at += 1) found.push(Number((at * step).toPrecision(12)));
  return found;
}

// What the reader chose, kept for when the page loads itself again.
function remembered(key, value) {
  try {
    if (value === undefined) return sessionStorage.getItem(`modelstore ${key}`);
    sessionStorage.setItem(`modelstore ${key}`, value);
  } catch { /* a browser may refuse */ }
  return null;
}
