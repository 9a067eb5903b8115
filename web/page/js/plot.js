// Lines over the last minutes, drawn by Chart.js.
import {element} from './dom.js';

const kColors = ['--one', '--two'];

// Colours of the theme as canvases know them: a custom property alone would still say light-dark().
function color(name) {
  const probe = element('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  return computed;
}

export class Plot {
  constructor(title, labels, most) {
    Object.assign(this, {title, labels, most});
    this.canvas = element('canvas', {role: 'img', 'aria-label': title});
    this.node = element('figure', {class: 'tile plot'}, element('figcaption', {}, title),
      element('div', {}, this.canvas));
    document.addEventListener('themechange', () => this.chart && this.paint());
  }

  // `lines`: for each label its points, {x, y}, x in seconds before now; y null: nothing to draw there.
  async draw(lines) {
    this.lines = lines;
    await import('/page/lib/chart.js');
    this.chart ??= this.create();
    this.chart.data.datasets.forEach((dataset, index) => { dataset.data = this.lines[index]; });
    this.chart.update('none');
  }

  create() {
    const axis = options => ({ticks: {maxTicksLimit: 5}, ...options});
    const chart = new globalThis.Chart(this.canvas, {
      type: 'line',
      data: {datasets: this.labels.map(label => ({label, data: [], borderWidth: 2, pointRadius: 0, spanGaps: true, tension: 0.2}))},
      options: {
        animation: false, maintainAspectRatio: false, parsing: false, interaction: {mode: 'nearest', intersect: false},
        plugins: {legend: {display: this.labels.length > 1, position: 'bottom', labels: {boxWidth: 10, boxHeight: 2}}},
        scales: {
          x: axis({type: 'linear', max: 0, ticks: {maxTicksLimit: 5, callback: seconds => (seconds === 0 ? 'now' : `−${-seconds} s`)}}),
          y: axis({beginAtZero: true, suggestedMax: 1, max: this.most}),
        },
      },
    });
    this.chart = chart;
    this.paint();
    return chart;
  }

  paint() {
    const {data, options} = this.chart;
    data.datasets.forEach((dataset, index) => { dataset.borderColor = dataset.backgroundColor = color(kColors[index]); });
    options.plugins.legend.labels.color = color('--ink');
    for (const scale of Object.values(options.scales)) {
      scale.ticks.color = color('--faint');
      scale.grid = {color: color('--line')};
    }
    this.chart.update('none');
  }
}
