// How answers are made: the system prompt, the sampler and limits. What is left empty is as the model's makers sample.
import {element} from './dom.js';

const kTop = 8;  // likeliest tokens told beside each

// One number each, by its name in the API; those with a slider are `fine`.
const kNumbers = [
  {name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.05, fine: true,
    help: 'How freely tokens are drawn: 0 always takes the likeliest.'},
  {name: 'top_p', label: 'Top p', min: 0, max: 1, step: 0.01, fine: true,
    help: 'Draw from the likeliest tokens that together have this probability.'},
  {name: 'min_p', label: 'Min p', min: 0, max: 1, step: 0.01, fine: true,
    help: 'Leave out tokens less likely than this share of the likeliest.'},
  {name: 'top_k', label: 'Top k', min: 0, step: 1, help: 'Draw from this many likeliest tokens; 0: from all.'},
  {name: 'max_tokens', label: 'Longest answer', min: 1, step: 1, help: 'In tokens.'},
  {name: 'seed', label: 'Seed', min: 0, step: 1, help: 'The same seed and conversation give the same answer.'},
];
const kPenalties = [
  {name: 'repetition_penalty', label: 'Repetition', min: 0.5, max: 2, step: 0.05, fine: true,
    help: 'Above 1: tokens that were there are less likely.'},
  {name: 'presence_penalty', label: 'Presence', min: -2, max: 2, step: 0.1, fine: true,
    help: 'Taken from the logits of tokens that were there.'},
  {name: 'frequency_penalty', label: 'Frequency', min: -2, max: 2, step: 0.1, fine: true,
    help: 'The same, once for each time.'},
];

// The parameters of a request for an answer under `settings`, but its messages.
export function parametersOf(settings) {
  const parameters = {};
  if (settings.model) parameters.model = settings.model;
  for (const {name} of [...kNumbers, ...kPenalties]) {
    if (settings[name] !== undefined) parameters[name] = settings[name];
  }
  if (settings.stop?.length) parameters.stop = settings.stop;
  if (settings.probabilities) Object.assign(parameters, {logprobs: true, top_logprobs: kTop});
  return parameters;
}

let forms = 0;  // ids of fields differ between forms

// Fields for `settings`, which it changes; `onChange` hears of it.
export class SettingsForm {
  constructor(settings, onChange) {
    this.settings = settings;
    this.onChange = onChange;
    this.prefix = `settings-${++forms}`;
    this.node = element('form', {class: 'settings stack', onsubmit: event => event.preventDefault()});
    this.show();
  }

  show() {
    this.node.replaceChildren(
      this.textField('system', 'System prompt', 'What the model is to know and how it is to behave.', 4),
      ...kNumbers.map(control => this.numberField(control)),
      this.textField('stop', 'Stop texts', 'One a line: an answer ends before the first of them.', 2,
        lines => (lines ?? []).join('\n'), text => text.split('\n').filter(Boolean)),
      element('details', {}, element('summary', {}, 'Penalties'), ...kPenalties.map(control => this.numberField(control))),
      this.checkbox('probabilities', 'Token probabilities', 'Tell how likely each token was, and what else could have stood there.'),
      element('div', {class: 'row end'}, element('button', {type: 'button', class: 'quiet', onclick: () => this.reset()}, 'Reset')));
  }

  reset() {
    const {model} = this.settings;
    for (const name of Object.keys(this.settings)) delete this.settings[name];
    if (model) this.settings.model = model;
    this.onChange();
    this.show();
  }

  set(name, value) {
    if (value === undefined || value === '' || value === false || value.length === 0) delete this.settings[name];
    else this.settings[name] = value;
    this.onChange();
  }

  labelled(name, label, help, ...fields) {
    const id = `${this.prefix}-${name}`;
    fields[0].id = id;
    fields[0].setAttribute('aria-describedby', `${id}-help`);
    return element('div', {class: 'field'},
      element('label', {for: id}, label), ...fields, element('p', {id: `${id}-help`, class: 'faint small'}, help));
  }

  textField(name, label, help, rows, shown = text => text ?? '', read = text => text) {
    const area = element('textarea', {rows, oninput: () => this.set(name, read(area.value))});
    area.value = shown(this.settings[name]);
    return this.labelled(name, label, help, area);
  }

  checkbox(name, label, help) {
    const box = element('input', {type: 'checkbox', onchange: () => this.set(name, box.checked)});
    box.checked = Boolean(this.settings[name]);
    const field = this.labelled(name, label, help, box);
    field.classList.add('check');
    return field;
  }

  numberField({name, label, help, min, max, step, fine}) {
    const number = element('input', {
      type: 'number', min, max, step: fine ? 'any' : step, placeholder: 'model’s', inputmode: fine ? 'decimal' : 'numeric',
      oninput: () => {
        if (!number.validity.valid) return;
        this.set(name, number.value === '' ? undefined : number.valueAsNumber);
        showSlider();
      },
    });
    number.value = this.settings[name] ?? '';
    const slider = fine && element('input', {
      type: 'range', min, max, step, 'aria-label': label, tabindex: '-1',  // the number beside it takes keys
      oninput: () => {
        number.value = slider.value;
        this.set(name, slider.valueAsNumber);
        showSlider();
      },
    });
    const showSlider = () => {
      if (!slider) return;
      slider.classList.toggle('unset', this.settings[name] === undefined);
      slider.value = this.settings[name] ?? (min + max) / 2;
    };
    showSlider();
    return this.labelled(name, label, help, ...[number, slider].filter(Boolean));
  }
}
