/** Timers for a page in a hidden tab: there the page's own are held back to one a second, a worker's are not. */
import { pageChannel } from './channel.ts';
import { serveTimers } from './worker-clock.ts';

serveTimers(pageChannel());
