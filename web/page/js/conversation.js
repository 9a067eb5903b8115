// A conversation: a tree of messages, of which one path is walked. Editing a message or asking again adds a branch beside
// the old one, so that nothing said is lost.

const kShortest = 16;  // hexadecimal digits of an id: none is met twice

export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(kShortest / 2)), byte => byte.toString(16).padStart(2, '0')).join('');
}

const kTitleLength = 60;

const isText = value => typeof value === 'string';
const isNumber = value => typeof value === 'number';
const isRole = value => value === 'user' || value === 'assistant';
const isToken = value => isText(value?.text) && isNumber(value.logprob) && Array.isArray(value.top) &&
  value.top.every(other => isText(other?.[0]) && isNumber(other[1]));

// What a message may hold beside id, parent, role and content.
const kMessageFields = {
  time: isNumber,                  // when it was begun, in milliseconds since 1970
  reasoning: isText,
  model: isText,
  finish: isText,                  // why the answer ended: 'stop', 'length' or, by the user, 'stopped'
  failure: value => isText(value?.text),
  usage: value => isNumber(value?.completion_tokens),
  seconds: isNumber,               // that the answer took
  firstSeconds: isNumber,          // and its first token
  tokens: value => Array.isArray(value) && value.every(isToken),
};

export class Conversation {
  // `data`: as JSON.stringify(conversation) has it.
  constructor(data = {}) {
    this.id = data.id ?? newId();
    this.title = data.title ?? '';
    this.created = data.created ?? Date.now();
    this.updated = data.updated ?? this.created;
    this.settings = data.settings ?? {};
    this.messages = data.messages ?? [];  // each behind its parent
    this.chosen = data.chosen ?? {};      // the message that follows each, by id; '' for the first
  }

  // From a file that anybody may have made. Throws Error with what is wrong.
  static imported(data) {
    if (!Array.isArray(data?.messages)) throw new Error('expected a conversation with "messages"');
    const conversation = new Conversation({title: isText(data.title) ? data.title : '', settings: settingsOf(data.settings)});
    const known = new Set(['']);
    for (const {id, parent = '', role, content, ...rest} of data.messages) {
      if (!isText(id) || known.has(id) || !known.has(parent) || !isRole(role) || !isText(content))
        throw new Error('expected messages with "id", "parent", "role" and "content", each behind its parent');
      known.add(id);
      const kept = Object.entries(kMessageFields).filter(([name, holds]) => holds(rest[name])).map(([name]) => [name, rest[name]]);
      conversation.messages.push({id, parent, role, content, ...Object.fromEntries(kept)});
      conversation.chosen[parent] = id;
    }
    for (const [parent, id] of Object.entries(data.chosen ?? {})) {
      if (conversation.messages.some(message => message.id === id && message.parent === parent)) conversation.chosen[parent] = id;
    }
    return conversation;
  }

  // The messages from the first to the last, along what was chosen.
  get path() {
    const path = [];
    for (let at = this.chosen['']; at; at = this.chosen[at]) path.push(this.messages.find(message => message.id === at));
    return path;
  }

  // The messages before `message`.
  before(message) {
    const path = [];
    for (let at = message.parent; at;) {
      const found = this.messages.find(other => other.id === at);
      path.unshift(found);
      at = found.parent;
    }
    return path;
  }

  // `message` and those that stand in its place on other branches, the oldest first.
  alternatives(message) {
    return this.messages.filter(other => other.parent === message.parent);
  }

  // Adds a message behind `parent` ('' for the first), and walks that way.
  add(parent, role, content, fields = {}) {
    const message = {id: newId(), parent, role, content, time: Date.now(), ...fields};
    this.messages.push(message);
    this.choose(message);
    if (!this.title && role === 'user') this.title = Array.from(content.trim().split('\n', 1)[0]).slice(0, kTitleLength).join('');
    return message;
  }

  choose(message) {
    this.chosen[message.parent] = message.id;
    this.updated = Date.now();
  }

  matches(words) {
    const text = `${this.title}\n${this.messages.map(message => message.content).join('\n')}`.toLowerCase();
    return words.every(word => text.includes(word));
  }
}

function settingsOf(data) {
  return data !== null && typeof data === 'object' && !Array.isArray(data) ? data : {};
}
