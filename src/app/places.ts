/** The places of the page: one line each. The first is where an unknown address leads. */
import Info from '@lucide/svelte/icons/info';
import RefreshCw from '@lucide/svelte/icons/refresh-cw';
import Zap from '@lucide/svelte/icons/zap';
import { type Component } from 'svelte';
import { type Icon } from './components/icon.ts';

export interface Place {
  /** What follows `#` in the address. */
  path: `/${string}`;
  title: string;
  icon: Icon;
  /** Its screen, loaded when it is first gone to. */
  load: () => Promise<{ default: Component }>;
}

export const PLACES: readonly [Place, ...Place[]] = [
  { path: '/', title: 'Provision', icon: Zap, load: () => import('./screens/Provision/Provision.svelte') },
  { path: '/update', title: 'Update', icon: RefreshCw, load: () => import('./screens/Update/Update.svelte') },
  { path: '/about', title: 'About', icon: Info, load: () => import('./screens/About/About.svelte') },
];
