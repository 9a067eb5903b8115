// Windows inside the page.
import {element, iconButton} from './dom.js';

// Shows `content` under a title until it is closed, by Escape, by its button or by the caller.
export function openDialog(title, content, onClose = () => {}) {
  const heading = element('h2', {id: 'dialog-title'}, title);
  const dialog = element('dialog', {
    'aria-labelledby': 'dialog-title',
    onclose: () => {
      dialog.remove();
      onClose();
    },
  }, element('header', {class: 'row'}, heading, iconButton('close', 'Close', () => dialog.close())), content);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
