// Conversations as files: Markdown to read, JSON to keep and to take in again.
import {Conversation} from './conversation.js';
import {element} from './dom.js';

export function toMarkdown(conversation) {
  const {system} = conversation.settings;
  const parts = [`# ${conversation.title || 'Conversation'}`];
  if (system) parts.push('## System', system);
  for (const {role, content, reasoning, model} of conversation.path) {
    parts.push(role === 'user' ? '## You' : `## ${model ?? 'Answer'}`);
    if (reasoning) parts.push(`<details><summary>Reasoning</summary>\n\n${reasoning}\n\n</details>`);
    parts.push(content);
  }
  return `${parts.join('\n\n')}\n`;
}

export const toJson = conversations => `${JSON.stringify({format: 'quern-conversations', version: 1, conversations}, null, 2)}\n`;

// The conversations of a file that toJson() wrote. Throws Error with what is wrong.
export function fromJson(text) {
  const {conversations} = JSON.parse(text) ?? {};
  if (!Array.isArray(conversations)) throw new Error('expected "conversations", as the page exports them');
  return conversations.map(data => Conversation.imported(data));
}

export function fileName(conversation, ending) {
  const words = conversation.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');
  return `${words || 'conversation'}.${ending}`;
}

export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], {type}));
  element('a', {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// Lets the user choose files; resolves to their texts, or never.
export function pickFiles() {
  return new Promise(resolve => {
    const input = element('input', {
      type: 'file', accept: '.json,application/json', multiple: true,
      onchange: () => resolve(Promise.all(Array.from(input.files, file => file.text()))),
    });
    input.click();
  });
}
