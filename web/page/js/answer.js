// Asks the server for an answer, and puts what comes into a message as it comes.
import {streamChat} from './api.js';
import {parametersOf} from './settings.js';

// What the server is told of a message.
const said = ({role, content}) => ({role, content});

// {text, logprob, top: [[text, logprob], ...]}
const tokenOf = ({token, logprob, top_logprobs: top}) => ({
  text: token, logprob, top: top.map(other => [other.token, other.logprob]),
});

function requestFor(conversation, message) {
  const {settings} = conversation;
  const messages = conversation.before(message).map(said);
  if (settings.system) messages.unshift({role: 'system', content: settings.system});
  const request = {...parametersOf(settings), messages, stream_options: {include_usage: true}};
  if (message.content) {  // a part of the answer: go on from there
    messages.push(said(message));
    request.continue_final_message = true;
  }
  return request;
}

function take(chunk, message) {
  if (chunk.usage) message.usage = chunk.usage;
  const choice = chunk.choices?.[0];
  if (!choice) return;
  const {content, reasoning_content: reasoning} = choice.delta;
  if (content) message.content += content;
  if (reasoning) message.reasoning = (message.reasoning ?? '') + reasoning;
  if (choice.logprobs) (message.tokens ??= []).push(...choice.logprobs.content.map(tokenOf));
  if (choice.finish_reason) message.finish = choice.finish_reason;
}

// Fills `message`, an answer without content or the beginning of one. `onUpdate` hears of each change. Does not throw:
// what went wrong is in message.failure, {text, lost}.
export async function answer(conversation, message, signal, onUpdate) {
  const start = performance.now();
  const since = () => (performance.now() - start) / 1000;
  for (const name of ['failure', 'finish', 'usage', 'seconds', 'firstSeconds']) delete message[name];
  try {
    for await (const chunk of streamChat(requestFor(conversation, message), signal)) {
      message.model = chunk.model;
      take(chunk, message);
      if (message.content || message.reasoning) message.firstSeconds ??= since();
      onUpdate();
    }
  } catch (error) {
    if (signal.aborted) message.finish = 'stopped';
    else message.failure = {text: error.message, lost: Boolean(error.lost)};
  }
  message.seconds = since();
  onUpdate();
}
