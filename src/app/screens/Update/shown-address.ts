/** Which board and run are looked at, in the address: `#/update?board=b1&run=u7`. */
import { type Shown } from '../../state/updates/update-screen.svelte.ts';

const PLACE = '#/update';

/** `undefined` while the address names another place. */
export function shownByAddress(hash: string): Shown | undefined {
  const [place, search = ''] = hash.split('?');
  if (place !== PLACE) return undefined;
  const values = new URLSearchParams(search);
  return { board: values.get('board') ?? undefined, run: values.get('run') ?? undefined };
}

export function addressOf({ board, run }: Shown): string {
  const values = new URLSearchParams();
  if (board !== undefined) values.set('board', board);
  if (board !== undefined && run !== undefined) values.set('run', run);
  return values.size > 0 ? `${PLACE}?${values.toString()}` : PLACE;
}
