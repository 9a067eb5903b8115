// Starts the page: opens what is stored, and shows the view that the address names.
import {Catalog} from './catalog.js';
import {ChatView} from './chat.js';
import {copy} from './clipboard.js';
import {CompareView} from './compare.js';
import {Connection} from './connection.js';
import {element, iconButton} from './dom.js';
import {History} from './history.js';
import {MetricsView} from './metrics.js';
import {ModelsView} from './models.js';
import {showShortcuts, startShortcuts} from './shortcuts.js';
import {Store} from './store.js';
import {startTheme, switchTheme} from './theme.js';

const root = document.documentElement;
const openSidebar = open => root.classList.toggle('sidebar-open', open);
const go = address => { location.hash = address; };

startTheme();
const store = await Store.open();
const catalog = new Catalog();
const connection = new Connection(loadModels);
const history = new History(store);
const page = {
  store, catalog, connection, history,
  menuButton: () => iconButton('menu', 'Menu', () => openSidebar(true), {class: 'icon-button only-narrow'}),
  chatWith: model => {
    go('#/chat');
    views.chat.conversation.settings.model = model;
    views.chat.models.show(views.chat.conversation.settings);
  },
};
const views = {chat: new ChatView(page), compare: new CompareView(page), models: new ModelsView(page), metrics: new MetricsView(page)};
let shown = null;

async function loadModels() {
  try {
    await catalog.load();
  } catch (error) {
    if (error.lost) connection.lost();
    else document.getElementById('main').append(element('p', {class: 'failure', role: 'alert'}, error.message));
  }
}

// "#/chat/1a2b" shows the chat of that id.
function route() {
  const [, name, argument = ''] = location.hash.split('/');
  const view = views[name] ?? views.chat;
  if (view !== shown) {
    shown?.leave();
    shown?.node.remove();
    document.getElementById('main').append(view.node);
    shown = view;
  }
  document.title = `${view.title} · Quern`;
  for (const link of document.querySelectorAll('#views a')) {
    if (link.hash === `#/${Object.keys(views).find(key => views[key] === view)}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  openSidebar(false);
  view.enter(argument);
}

function escape() {
  openSidebar(false);
  if (shown.composer?.busy) shown.composer.stop();
}

const lastAnswer = () => (shown === views.chat ? views.chat.lastView('assistant') : null);
const shortcuts = [
  {keys: ['?'], label: 'These keys', run: () => showShortcuts(shortcuts)},
  {keys: ['/', 'i'], label: 'Write a message', run: () => shown.composer?.focus()},
  {keys: ['n'], label: 'New conversation', run: () => go('#/chat')},
  {keys: ['s'], label: 'Search conversations', run: () => {
    openSidebar(true);
    history.search.focus();
  }},
  {keys: ['1', '2', '3', '4'], label: 'Chat, compare, models, metrics', run: key => go(`#/${Object.keys(views)[key - 1]}`)},
  {keys: [','], label: 'Settings', run: () => shown === views.chat && views.chat.togglePanel()},
  {keys: ['e'], label: 'Edit your last message', run: () => shown === views.chat && views.chat.editLast()},
  {keys: ['r'], label: 'Answer again', run: () => shown === views.chat && views.chat.regenerateLast()},
  {keys: ['[', ']'], label: 'Previous and next answer',
    run: key => shown === views.chat && views.chat.walkLast(key === '[' ? -1 : 1)},
  {keys: ['c'], label: 'Copy the last answer', run: () => lastAnswer() && copy(lastAnswer().message.content)},
  {keys: ['t'], label: 'Token probabilities of the last answer', run: () => lastAnswer()?.toggleTokens()},
  {keys: ['d'], label: 'Dark or light', run: switchTheme},
  {keys: ['Escape'], label: 'Stop the answer; close', run: escape},
];
document.getElementById('tools').append(
  iconButton('theme', 'Dark or light (d)', switchTheme),
  iconButton('help', 'Keys (?)', () => showShortcuts(shortcuts)));
document.getElementById('shade').addEventListener('click', () => openSidebar(false));
startShortcuts(shortcuts);
addEventListener('hashchange', route);
route();
await loadModels();
