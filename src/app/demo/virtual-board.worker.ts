/** A virtual ESP32 in a thread of its own, so that it takes nothing from the page. */
import { pageChannel } from '../workers/channel.ts';
import { serveVirtualBoard } from './virtual-board-host.ts';

serveVirtualBoard(pageChannel());
