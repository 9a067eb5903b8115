// The API key, where the server wants one: asked for once, and kept until the tab is closed.
import {element} from './dom.js';
import {openDialog} from './dialog.js';

const kName = 'quern.key';

let asking = null;  // one dialog for all requests that wait for a key

export const key = () => sessionStorage.getItem(kName);

// Resolves to whether there is another key now. `why` is what the server said of the last one.
export function askForKey(why) {
  asking ??= ask(why).finally(() => { asking = null; });
  return asking;
}

function ask(why) {
  return new Promise(resolve => {
    let given = false;
    const input = element('input', {
      id: 'key', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true, 'aria-describedby': 'key-why',
    });
    const form = element('form', {
      class: 'stack',
      onsubmit: event => {
        event.preventDefault();
        sessionStorage.setItem(kName, input.value.trim());
        given = true;
        dialog.close();
      },
    },
    element('p', {id: 'key-why', class: 'faint'}, key() ? `${why[0].toUpperCase()}${why.slice(1)}.` :
      'This server answers those who show a key. Whoever runs it can give you one.'),
    element('label', {for: 'key'}, 'API key'),
    input,
    element('p', {class: 'faint small'}, 'It stays in this tab, and is forgotten when the tab is closed.'),
    element('div', {class: 'row end'}, element('button', {class: 'primary'}, 'Use this key')));
    const dialog = openDialog('A key is needed', form, () => resolve(given));
    input.focus();
  });
}
