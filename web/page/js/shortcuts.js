// Keys that do something while no field is written in.
import {openDialog} from './dialog.js';
import {element} from './dom.js';

const isField = node => node.closest('input, textarea, select, [contenteditable]') !== null;

// `shortcuts`: [{keys: ['n'], label, run(key)}]; Escape reaches fields as well.
export function startShortcuts(shortcuts) {
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (event.key !== 'Escape' && isField(event.target)) return;
    const found = shortcuts.find(({keys}) => keys.includes(event.key));
    if (!found) return;
    event.preventDefault();
    found.run(event.key);
  });
}

const kNames = {Escape: 'Esc', ArrowUp: '↑'};

export function showShortcuts(shortcuts) {
  const key = name => element('kbd', {}, kNames[name] ?? name);
  const rows = [
    ...shortcuts,
    {keys: ['Enter'], label: 'Send; with Shift a new line'},
    {keys: ['ArrowUp'], label: 'In the empty field: edit your last message'},
  ];
  openDialog('Keys', element('dl', {class: 'keys'}, ...rows.flatMap(({keys, label}) => [
    element('dt', {}, ...keys.map(key)), element('dd', {}, label)])));
}
