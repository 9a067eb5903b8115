// The view of what the server can answer with.
import {loadModel, unloadModel, version} from './api.js';
import {element, icon} from './dom.js';

const kShown = new Set(['id', 'object']);
const kNames = {max_model_len: 'Context', created: 'Opened', owned_by: 'Owner'};

function shown(name, value) {
  if (name === 'created') return new Date(1000 * value).toLocaleString();
  if (name === 'memory') return `${(value / 2 ** 20).toLocaleString('en', {maximumFractionDigits: 0})} MiB`;
  if (name === 'status') return value.failed ? `${value.value}: ${value.error}` : value.value;
  if (name === 'max_model_len') return `${value.toLocaleString('en')} tokens`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export class ModelsView {
  title = 'Models';

  constructor({catalog, connection, menuButton, chatWith}) {
    Object.assign(this, {catalog, connection, chatWith});
    this.list = element('div', {class: 'cards'});
    this.version = element('span', {class: 'faint small'});
    this.node = element('section', {class: 'view scroller', 'aria-label': 'Models'},
      element('header', {class: 'topbar row'}, menuButton(), element('h1', {}, 'Models'), element('span', {class: 'space'}), this.version),
      element('div', {class: 'page'}, this.list));
    catalog.addEventListener('change', () => this.show());
  }

  async enter() {
    try {
      await this.catalog.load();
      this.version.textContent = `Quern ${await version()}`;
    } catch (error) {
      if (error.lost) this.connection.lost();
      else this.list.replaceChildren(element('p', {class: 'failure', role: 'alert'}, error.message));
    }
  }
  leave() {}

  // Loads the model, or lets go of it; the server says no where others need it.
  async change(act, model, button) {
    button.disabled = true;
    try {
      await act(model.id);
    } catch (error) {
      if (error.lost) return this.connection.lost();
      button.after(element('p', {class: 'failure', role: 'alert'}, error.message));
      return;
    }
    await this.enter();
  }

  // Models that stay have none.
  loadButton(model) {
    const {value, stays} = model.status ?? {};
    if (stays || (value !== 'loaded' && value !== 'unloaded')) return null;
    const act = value === 'loaded' ? unloadModel : loadModel;
    return element('button', {type: 'button', class: 'quiet', onclick: event => this.change(act, model, event.currentTarget)},
      value === 'loaded' ? 'Unload' : 'Load');
  }

  show() {
    this.list.replaceChildren(...this.catalog.models.map(model => element('article', {class: 'tile'},
      element('h2', {}, model.id),
      element('dl', {}, ...Object.entries(model).filter(([name, value]) => !kShown.has(name) && value !== null).flatMap(([name, value]) => [
        element('dt', {}, kNames[name] ?? name.replaceAll('_', ' ')), element('dd', {}, shown(name, value))])),
      element('button', {type: 'button', class: 'quiet', onclick: () => this.chatWith(model.id)}, icon('chat'), 'Talk to it'),
      this.loadButton(model))));
  }
}
