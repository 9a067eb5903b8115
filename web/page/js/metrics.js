// The view of what the server does: its metrics, read every two seconds while they are looked at.
import {metrics} from './api.js';
import {element} from './dom.js';
import {Plot} from './plot.js';
import {quantile, Samples, since} from './prometheus.js';

const kEvery = 2000;      // milliseconds
const kKept = 300;        // readings: ten minutes
const kWindow = 15000;    // milliseconds that rates and quantiles are over
const kPrefix = 'quern_';

// One value at a time out of a reading and an earlier one, for one model or all.
const gauge = name => (now, _, model) => now.sum(kPrefix + name, model);
const rate = name => (now, then, model) => then &&
  1000 * (now.sum(kPrefix + name, model) - then.sum(kPrefix + name, model)) / (now.time - then.time);
const milliseconds = (name, share) => (now, then, model) => {
  const value = then && quantile(since(now.buckets(kPrefix + name, model), then.buckets(kPrefix + name, model)), share);
  return typeof value === 'number' ? 1000 * value : null;
};
const cacheUsed = (now, _, model) => {
  const all = now.sum(`${kPrefix}kv_blocks`, model);
  return all > 0 ? 100 * (1 - now.sum(`${kPrefix}kv_blocks_available`, model) / all) : null;
};
const reused = (now, _, model) => {
  const prompts = now.sum(`${kPrefix}prompt_tokens_total`, model);
  return prompts > 0 ? 100 * now.sum(`${kPrefix}reused_prompt_tokens_total`, model) / prompts : null;
};

const kFigures = [
  {label: 'Answering', value: gauge('requests_running')},
  {label: 'Waiting', value: gauge('requests_waiting')},
  {label: 'Tokens a second', value: rate('generated_tokens_total'), digits: 1},
  {label: 'First token, median', value: milliseconds('time_to_first_token_seconds', 0.5), unit: 'ms'},
  {label: 'Cache in use', value: cacheUsed, unit: '%'},
  {label: 'Prompt tokens reused', value: reused, unit: '%'},
];

const halves = name => [
  {label: 'median', value: milliseconds(name, 0.5)},
  {label: '95 %', value: milliseconds(name, 0.95)},
];
const kPlots = [
  {title: 'Tokens a second', lines: [
    {label: 'generated', value: rate('generated_tokens_total')}, {label: 'of prompts', value: rate('prompt_tokens_total')}]},
  {title: 'Requests', lines: [
    {label: 'answering', value: gauge('requests_running')}, {label: 'waiting', value: gauge('requests_waiting')}]},
  {title: 'Time to the first token, ms', lines: halves('time_to_first_token_seconds')},
  {title: 'Time between tokens, ms', lines: halves('inter_token_seconds')},
  {title: 'Time in the queue, ms', lines: halves('queue_seconds')},
  {title: 'Time of a request, ms', lines: halves('request_seconds')},
  {title: 'Cache in use, %', lines: [{label: 'blocks', value: cacheUsed}], most: 100},
];

export class MetricsView {
  title = 'Metrics';

  constructor({connection, menuButton}) {
    this.connection = connection;
    this.readings = [];
    this.model = '';
    this.select = element('select', {class: 'model', 'aria-label': 'Model', onchange: () => {
      this.model = this.select.value;
      this.show();
    }});
    this.figures = element('div', {class: 'figures'});
    this.plots = kPlots.map(plot => new Plot(plot.title, plot.lines.map(line => line.label), plot.most));
    this.raw = element('pre', {tabindex: '0'});
    this.message = element('div', {class: 'welcome', hidden: true});
    this.content = element('div', {class: 'page', hidden: true}, this.figures,
      element('div', {class: 'plots'}, ...this.plots.map(plot => plot.node)),
      element('details', {}, element('summary', {}, 'All metrics as Prometheus reads them'), this.raw));
    this.node = element('section', {class: 'view scroller', 'aria-label': 'Metrics'},
      element('header', {class: 'topbar row'}, menuButton(), element('h1', {}, 'Metrics'), element('span', {class: 'space'}), this.select),
      this.message, this.content);
  }

  async enter() {
    const abort = new AbortController();
    this.leave = () => abort.abort();
    while (!abort.signal.aborted) {
      if (!document.hidden && !await this.read(abort.signal)) return;
      await new Promise(resolve => setTimeout(resolve, kEvery));
    }
  }
  leave() {}

  // False where there is nothing to be read later either.
  async read(signal) {
    try {
      const text = await metrics(signal);
      this.readings.push(new Samples(text));
      this.raw.textContent = text;
      if (this.readings.length > kKept) this.readings.shift();
      this.say(null);
      this.show();
    } catch (error) {
      if (signal.aborted) return false;
      if (error.lost) this.connection.lost();
      else this.say(error);
      return Boolean(error.lost);
    }
    return true;
  }

  say(error) {
    this.message.hidden = !error;
    this.content.hidden = Boolean(error);
    if (!error) return;
    this.message.replaceChildren(element('h2', {}, 'No metrics here'),
      element('p', {class: 'faint'}, error.status === 404 ? 'This server does not tell any.' : error.message));
  }

  // The reading that rates at `index` are over.
  earlier(index) {
    const {time} = this.readings[index];
    return this.readings.slice(0, index).find(reading => time - reading.time <= kWindow);
  }

  show() {
    const last = this.readings.length - 1;
    if (last < 0) return;
    this.showModels(this.readings[last].models);
    this.figures.replaceChildren(...kFigures.map(({label, value, unit, digits = 0}) => {
      const figure = value(this.readings[last], this.earlier(last), this.model);
      return element('div', {class: 'figure'},
        element('b', {}, typeof figure === 'number' ? `${figure.toFixed(digits)}${unit ? ` ${unit}` : ''}` : '–'), label);
    }));
    const times = this.readings.map(reading => (reading.time - this.readings[last].time) / 1000);
    kPlots.forEach(({lines}, index) => this.plots[index].draw(lines.map(({value}) => this.readings.map((reading, at) => ({
      x: times[at], y: value(reading, this.earlier(at), this.model) ?? null,
    })))));
  }

  showModels(models) {
    const wanted = ['', ...models];
    this.select.hidden = models.length < 2;
    if (this.select.options.length === wanted.length) return;
    this.select.replaceChildren(...wanted.map(name => element('option', {value: name}, name || 'All models')));
    this.select.value = this.model;
  }
}
