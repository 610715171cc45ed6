/** The release that the page itself brings, to try things with. */
import { FormatError } from '#formats/format-error.ts';
import { type PickedFile } from '../workers/pick-files.ts';

const FOLDER = 'demo';
const DATA = 'voices.bin';
const MANIFEST = 'manifest.json';

interface DemoManifest {
  builds: { parts: { path: string }[] }[];
}

/**
 * Fetches it; works from any sub-path, and offline once the page was loaded.
 *
 * @throws {FormatError} `demo-unreachable`.
 */
export async function loadDemoRelease(): Promise<{ files: PickedFile[]; data: File }> {
  const manifest = await fetchFile(MANIFEST);
  const { builds } = JSON.parse(await manifest.text()) as DemoManifest;
  const paths = builds.flatMap(({ parts }) => parts.map(({ path }) => path));
  const files = await Promise.all(
    paths.map(async (path) => ({ path: `${FOLDER}/${path}`, file: await fetchFile(path) })),
  );
  return { files: [{ path: `${FOLDER}/${MANIFEST}`, file: manifest }, ...files], data: await fetchFile(DATA) };
}

async function fetchFile(path: string): Promise<File> {
  const response = await fetch(new URL(`${FOLDER}/${path}`, document.baseURI)).catch(() => undefined);
  if (!response?.ok)
    throw new FormatError('demo-unreachable', 'The demo release cannot be loaded: check the network and try again');
  return new File([await response.blob()], path.split('/').at(-1) ?? path);
}
