// Says when the server cannot be reached, and waits until it can.
import {isThere} from './api.js';

const kAgain = 2000;  // milliseconds

export class Connection {
  // `onBack`: the server is there again.
  constructor(onBack) {
    this.onBack = onBack;
    this.banner = document.getElementById('banner');
  }

  lost() {
    if (this.timer) return;
    this.banner.textContent = 'The server does not answer. Trying again …';
    this.banner.hidden = false;
    this.timer = setInterval(() => this.tryAgain(), kAgain);
  }

  async tryAgain() {
    if (!await isThere() || !this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
    this.banner.hidden = true;
    this.onBack();
  }
}
