// Elements without markup: whatever a model or a user wrote goes in as text.

// element('button', {class: 'quiet', onclick: run}, 'text', child, ...). Attributes that are false or missing are left
// out, true ones are empty; children may be missing too.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

const kSvg = 'http://www.w3.org/2000/svg';

// One of the drawings of index.html.
export function icon(name) {
  const svg = document.createElementNS(kSvg, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(kSvg, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

// A button that shows only a drawing; `label` is what it says to those who cannot see it, and when pointed at.
export function iconButton(name, label, onclick, attributes = {}) {
  return element('button', {type: 'button', class: 'icon-button', title: label, 'aria-label': label, onclick, ...attributes},
    icon(name));
}

// Calls `run` at most once per frame, with the latest state; flush() calls it now, where a call is due.
export function perFrame(run) {
  let frame = 0;
  const schedule = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      run();
    });
  };
  schedule.flush = () => {
    if (!frame) return;
    cancelAnimationFrame(frame);
    frame = 0;
    run();
  };
  return schedule;
}
