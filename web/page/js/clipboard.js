// Copies text, also where browsers keep the clipboard from pages: over plain HTTP from another machine.
import {element} from './dom.js';
import {notify} from './notice.js';

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = element('textarea', {class: 'offscreen', 'aria-hidden': 'true'});
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  notify('Copied.');
}
