// The models of the server, and the field that chooses one.
import {listModels} from './api.js';
import {element} from './dom.js';

export class Catalog extends EventTarget {
  models = [];

  async load() {
    this.models = await listModels();
    this.dispatchEvent(new Event('change'));
  }

  // A name the server knows: `name`, or its default.
  known(name) {
    return this.models.some(model => model.id === name) ? name : this.models[0]?.id;
  }
}

// A field for settings.model; other settings may be shown in it later.
export class ModelSelect {
  constructor(catalog, settings, onChange) {
    this.catalog = catalog;
    this.settings = settings;
    this.node = element('select', {
      class: 'model', 'aria-label': 'Model', onchange: () => {
        this.settings.model = this.node.value;
        onChange();
      },
    });
    catalog.addEventListener('change', () => this.show(this.settings));
    this.show(settings);
  }

  show(settings) {
    this.settings = settings;
    const {models} = this.catalog;
    this.node.replaceChildren(...models.map(({id}) => element('option', {value: id}, id)));
    if (models.length === 0) return;
    settings.model = this.catalog.known(settings.model);
    this.node.value = settings.model;
  }
}
