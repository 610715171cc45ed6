/** A planner without a thread, and files as a browser gives them. */
import { type PickedFile } from '#app/workers/pick-files.ts';
import { Planner } from '#app/workers/planner.ts';
import { servePlanner } from '#app/workers/planner-host.ts';
import { type ReleaseFile } from '#formats/release/release.ts';
import { linkedChannels } from './channels.ts';

export function testPlanner(): Planner {
  const [page, worker] = linkedChannels();
  servePlanner(worker);
  return new Planner(page);
}

export const fileOf = (name: string, bytes: Uint8Array): File =>
  new File([bytes.slice()], name.split('/').at(-1) ?? name);

export const picked = (files: readonly ReleaseFile[], folder = ''): PickedFile[] =>
  files.map(({ path, bytes }) => ({ path: `${folder}${path}`, file: fileOf(path, bytes) }));
