// Draws the report of a recipe.

const points = (rows, name) => rows.filter(row => typeof row[name] === 'number').map(row => ({x: row.step, y: row[name]}));

// The samples of a training run, one step at a time.
function sampleBrowser(samples) {
  const text = element('pre'), label = element('p', {class: 'faint'});
  const show = index => {
    const sample = samples[index];
    label.textContent = `step ${sample.step}`;
    text.replaceChildren(element('span', {class: 'prompt'}, sample.prompt), sample.text);
  };
  const slider = element('input', {type: 'range', min: 0, max: samples.length - 1, value: samples.length - 1, 'aria-label': 'step of the sample'});
  slider.addEventListener('input', () => show(Number(slider.value)));
  show(samples.length - 1);
  return element('div', {class: 'panel'}, slider, label, text);
}

// What tasks of tuning measure beside the loss: [title, unit, names of metrics].
const kTuningCharts = [
  ['Reward', 'of an answer', ['reward', 'chosen_reward', 'rejected_reward']],
  ['Margin', 'preferred less the other', ['margin']],
  ['Accuracy', 'share of the pairs', ['accuracy']],
  ['Distance to the reference', 'KL, nats', ['kl']],
  ['Entropy', 'nats per token', ['entropy']],
  ['Length', 'tokens of an answer', ['answer_tokens']],
  ['Values', 'explained share of the variance', ['explained_variance']],
];

const spaced = name => name.replaceAll('_', ' ');

function trainingSection(stage) {
  const rows = kind => stage.metrics.filter(row => row.kind === kind);
  const train = rows('train'), evaluation = rows('eval'), samples = rows('sample');
  const task = stage.settings.task ? ` (${stage.settings.task})` : '';
  const section = element('section', {}, element('h2', {}, `Training: ${stage.stage}${task}`));
  const colors = ['one', 'two', 'faint'];
  const curves = names => names.flatMap((name, i) => [
    {label: spaced(name), points: points(train, name), color: colors[i], thin: true},
    {label: `${spaced(name)}, held out`, points: points(evaluation, name), color: colors[i], dots: true}]);
  section.append(element('div', {class: 'charts'}, ...[
    lineChart('Loss', 'nats per token', [
      {label: 'training', points: points(train, 'loss'), color: 'faint', thin: true},
      {label: 'training, smoothed', points: points(train, 'smoothed_loss'), color: 'one'},
      {label: 'validation', points: points(evaluation, 'loss'), color: 'two', dots: true}]),
    ...kTuningCharts.map(([title, unit, names]) => lineChart(title, unit, curves(names))),
    lineChart('Throughput', 'tokens per second', [{label: 'tokens per second', points: points(train, 'tokens_per_second'), color: 'one'}]),
    lineChart('Learning rate', 'learning rate', [{label: 'learning rate', points: points(train, 'lr'), color: 'one'}]),
    lineChart('Gradient norm', 'L2 norm', [{label: 'gradient norm', points: points(train, 'grad_norm'), color: 'one'}], {logarithmic: true}),
  ].filter(Boolean)));
  if (samples.length > 0) section.append(element('h3', {}, 'What it wrote while training'), sampleBrowser(samples));
  return section;
}

function questionsSection(stage) {
  const kinds = Object.entries(stage.figures.by_kind || {});
  const section = element('section', {}, element('h2', {}, `Questions: ${stage.stage}`),
    element('p', {}, `${stage.figures.right} of ${stage.figures.questions} held-out questions answered exactly: ${percent(stage.figures.exact)}.`));
  section.append(table(['kind', 'asked', 'exact', ''], kinds.map(([kind, tally]) => {
    const fill = element('div');
    fill.style.width = percent(tally.exact);
    return [kind, tally.asked, percent(tally.exact), element('div', {class: 'bar'}, fill)];
  })));
  const answers = right => (stage.answers || []).filter(answer => answer.right === right).slice(0, 20);
  for (const [title, right] of [['Wrong answers', false], ['Right answers', true]]) {
    const shown = answers(right);
    if (shown.length === 0) continue;
    section.append(element('details', right ? {} : {open: ''}, element('summary', {}, `${title} (the first ${shown.length})`),
      table(['question', 'expected', 'answer'], shown.map(answer => [
        element('pre', {}, answer.prompt), answer.expected, element('span', {class: right ? 'right' : 'wrong'}, answer.answer)]))));
  }
  return section;
}

// Share with half of its interval of 95 %.
const estimate = share => `${percent(share.value)} ± ${(196 * share.error).toFixed(1)}`;

function compareSection(stage) {
  const {models, against, questions, sums, draws} = stage.figures;
  const section = element('section', {}, element('h2', {}, `Comparison: ${stage.stage}`),
    element('p', {}, `${questions} held-out questions and ${sums} held-out sums, the same for every model. Exact: the likeliest answer is right, ` +
      `in whatever manner. Preferred: how often a judge prefers one of ${draws} drawn answers to that of ${against}; 50 % is no better. ` +
      'Intervals of 95 %.'));
  section.append(table(['model', 'exact answers', `preferred to ${against}`, 'sums', 'sums, drawn', 'tokens of an answer'], models.map(model => [
    model.model, estimate(model.exact), model.model === against ? '–' : estimate(model.wins), estimate(model.sums), estimate(model.drawn_sums), model.answer_tokens])));
  const rows = stage.answers || [], sample = rows.filter(row => row.kind !== 'digits').slice(0, 12).concat(rows.filter(row => row.kind === 'digits').slice(0, 4));
  section.append(element('h3', {}, 'Answers side by side'),
    table(['question', 'expected', ...models.map(model => model.model)], sample.map(row => [
      element('pre', {}, row.prompt), row.expected, ...models.map(model => row.answers[model.model])])));
  return section;
}

function samplesSection(stage) {
  return element('section', {}, element('h2', {}, `Samples: ${stage.stage}`), ...stage.figures.samples.map(sample =>
    element('div', {class: 'panel'}, element('pre', {}, element('span', {class: 'prompt'}, sample.prompt), sample.text))));
}

function stageSection(stages) {
  return element('section', {}, element('h2', {}, 'Stages'),
    table(['stage', 'kind', 'made', 'time', 'key', 'made from'], stages.map(stage => [
      stage.stage, stage.kind, stage.started, duration(stage.seconds), element('code', {}, stage.key),
      element('details', {}, element('summary', {}, `${Object.keys(stage.inputs).length} inputs, settings`),
        element('pre', {}, JSON.stringify({inputs: stage.inputs, settings: stage.settings}, null, 2)))])));
}

function headline(stages) {
  const figures = element('div', {class: 'figures'});
  for (const stage of stages) {
    if (stage.kind === 'pretrain') {
      figures.append(figure('validation loss', number(stage.figures.validation_loss)),
        figure('bits per byte', number(stage.figures.bits_per_byte)),
        figure('tokens per second', number(stage.figures.tokens_per_second)));
    }
    if (stage.kind === 'questions') figures.append(figure('exact answers', percent(stage.figures.exact)));
  }
  figures.append(figure('in all', duration(stages.reduce((sum, stage) => sum + stage.seconds, 0))));
  return figures;
}

const kSections = {compare: compareSection, pretrain: trainingSection, tune: trainingSection, questions: questionsSection, samples: samplesSection};
const report = document.getElementById('report');
document.title = `${data.recipe}: Quern report`;
report.append(
  element('h1', {}, data.recipe),
  provenance(),
  headline(data.stages),
  ...data.stages.filter(stage => stage.kind in kSections).sort((a, b) => (b.kind === 'compare') - (a.kind === 'compare')).map(stage => kSections[stage.kind](stage)),
  stageSection(data.stages));
