// What every report is drawn with, from the JSON in #data. Everything that a model or a file wrote goes in as text, never
// as HTML.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const css = getComputedStyle(document.documentElement);
const color = name => css.getPropertyValue('--' + name).trim();

// element('td', {class: 'number'}, 'text', child, ...)
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

const number = (value, digits = 4) =>
  value === null || value === undefined ? '–' : Number(value).toLocaleString('en', {maximumSignificantDigits: digits});
const percent = share => (100 * share).toFixed(1) + ' %';

function duration(seconds) {
  if (seconds < 1) return Math.round(seconds * 1000) + ' ms';
  if (seconds < 60) return seconds.toFixed(1) + ' s';
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function table(head, rows) {
  return element('div', {class: 'panel'},
    element('table', {},
      element('thead', {}, element('tr', {}, ...head.map(text => element('th', {}, text)))),
      element('tbody', {}, ...rows.map(row => element('tr', {}, ...row.map(cell =>
        cell instanceof Node ? element('td', {}, cell)
          : element('td', typeof cell === 'number' ? {class: 'number'} : {}, typeof cell === 'number' ? number(cell) : String(cell))))))));
}

function lineChart(title, unit, series, {logarithmic = false, along = 'step'} = {}) {
  const canvas = element('canvas', {role: 'img', 'aria-label': title});
  const datasets = series.filter(s => s.points.length > 0).map(s => ({
    label: s.label, data: s.points, borderColor: color(s.color), backgroundColor: color(s.color),
    borderWidth: s.thin ? 1 : 2, pointRadius: s.dots ? 3 : 0, tension: 0,
  }));
  if (datasets.length === 0) return null;
  requestAnimationFrame(() => new Chart(canvas, {
    type: 'line',
    data: {datasets},
    options: {
      animation: false, maintainAspectRatio: false, parsing: false, interaction: {mode: 'nearest', intersect: false},
      plugins: {
        legend: {display: datasets.length > 1, labels: {color: color('ink'), boxWidth: 12}},
        title: {display: true, text: title, color: color('ink')},
      },
      scales: {
        x: {type: 'linear', title: {display: true, text: along, color: color('faint')}, ticks: {color: color('faint')}, grid: {color: color('line')}},
        y: {type: logarithmic ? 'logarithmic' : 'linear', title: {display: true, text: unit, color: color('faint')}, ticks: {color: color('faint')}, grid: {color: color('line')}},
      },
    },
  }));
  return element('div', {class: 'panel'}, element('div', {class: 'chart'}, canvas));
}

function figure(label, value) {
  return element('div', {class: 'figure'}, element('b', {}, value), element('span', {class: 'faint'}, label));
}

const provenance = () => element('p', {class: 'faint'}, `Quern ${data.version} (${data.commit}), ${data.written}, ${data.machine}`);
