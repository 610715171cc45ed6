/** Recognises releases and makes plans in a thread of its own: hashing megabytes must not hold up the page. */
import { pageChannel } from './channel.ts';
import { servePlanner } from './planner-host.ts';

servePlanner(pageChannel());
