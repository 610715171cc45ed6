/** The flash map as a PNG picture: with its title above and the legend below, as it stands in the page's colours. */
import inter from '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?url';
import mono from '@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2?url';
import { saveFile } from '../../save-file.ts';
import { type FlashArea, ROLE_WORDS, sizeText, stateText } from './flash-area.ts';

export interface PictureOptions {
  title: string;
  /** All areas in their order; `numbers` tells which stand in the map as a number. */
  areas: readonly FlashArea[];
  numbers: ReadonlyMap<string, number>;
}

/** Pixels of the picture for one of the page; pictures are looked at on sharp screens. */
const SCALE = 2;
const MARGIN = 20;
const TITLE_HEIGHT = 30;
const LEGEND_LINE = 22;
/** Pixels of an average letter of the legend. */
const LETTER = 7;
/** What a picture must carry along of the page's style sheet. */
const STYLES = [
  'fill',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'stroke-linecap',
  'paint-order',
  'font-size',
  'font-weight',
  'font-family',
];

/** The page's fonts: a picture does not see them, so it carries them along. */
const FONTS = [
  ['Inter Variable', inter],
  ['JetBrains Mono Variable', mono],
] as const;

/**
 * Puts the picture into the clipboard; where the browser does not allow that, saves it as a file.
 *
 * @throws {Error} when the browser cannot draw it.
 */
export async function copyMapPicture(map: SVGSVGElement, options: PictureOptions): Promise<'copied' | 'saved'> {
  const picture = mapPicture(map, options);
  try {
    // Handed over as a promise: the permission hangs on the user's click, which drawing would outlast.
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })]);
    return 'copied';
  } catch {
    // No permission, no focus, or a browser without pictures in its clipboard: a file serves as well.
    saveFile(await picture, 'flash-map.png');
    return 'saved';
  }
}

async function mapPicture(map: SVGSVGElement, { title, areas, numbers }: PictureOptions): Promise<Blob> {
  const image = await imageOf(map);
  const page = getComputedStyle(map);
  const texts = areas.filter(({ role }) => role !== 'free').map((area) => legendText(area, numbers.get(area.id)));
  const legend = legendLines(texts, image.width);
  const canvas = document.createElement('canvas');
  canvas.width = (image.width + 2 * MARGIN) * SCALE;
  canvas.height = (image.height + TITLE_HEIGHT + legend.length * LEGEND_LINE + 2 * MARGIN) * SCALE;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('No 2D canvas');
  context.scale(SCALE, SCALE);
  context.fillStyle = resolved(map, '--surface');
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.translate(MARGIN, MARGIN);
  context.fillStyle = page.color;
  context.font = `620 15px ${page.fontFamily}`;
  context.fillText(title, 0, 14);
  context.drawImage(image, 0, TITLE_HEIGHT);
  context.font = `400 13px ${page.fontFamily}`;
  for (const [index, line] of legend.entries()) {
    context.fillText(line, 0, TITLE_HEIGHT + image.height + (index + 1) * LEGEND_LINE - 6);
  }
  return new Promise((done, failed) =>
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error('The canvas gave no picture'))), 'image/png'),
  );
}

function legendText(area: FlashArea, number: number | undefined): string {
  const role = area.label.toLowerCase().includes(ROLE_WORDS[area.role]) ? '' : ROLE_WORDS[area.role];
  const texts = [area.label, role, area.detail ?? '', sizeText(area), stateText(area)];
  return `${number ?? ''} ${texts.filter(Boolean).join(', ')}`.trim();
}

/** As many texts in a line as there is room for. */
function legendLines(texts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const text of texts) {
    const joined = `${lines.at(-1)}     ${text}`;
    if (lines.length > 0 && joined.length * LETTER < width) lines[lines.length - 1] = joined;
    else lines.push(text);
  }
  return lines;
}

/** A drawing that stands for itself: the style sheet's values written into each element. */
async function imageOf(map: SVGSVGElement): Promise<HTMLImageElement> {
  const copy = map.cloneNode(true) as SVGSVGElement;
  const originals = map.querySelectorAll('*');
  for (const [index, element] of copy.querySelectorAll('*').entries()) {
    const original = originals[index];
    if (!original) continue;
    const styles = getComputedStyle(original);
    for (const name of STYLES) element.setAttribute(name, styles.getPropertyValue(name));
  }
  for (const ring of copy.querySelectorAll('.ring, .hit')) ring.remove();
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  const style = document.createElementNS('http://www.w3.org/2000/svg', 'style');
  style.textContent = (await Promise.all(FONTS.map(([family, url]) => fontFace(family, url)))).join('\n');
  copy.prepend(style);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

/** A rule that holds the font itself; an empty one where it cannot be loaded: then the system's serves. */
async function fontFace(family: string, url: string): Promise<string> {
  const response = await fetch(url).catch(() => undefined);
  if (!response?.ok) return '';
  const bytes = new Uint8Array(await response.arrayBuffer());
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return `@font-face { font-family: '${family}'; font-weight: 100 900; src: url(data:font/woff2;base64,${btoa(text)}) }`;
}

/** A token's colour as the page shows it now; the token itself may still hold both themes. */
function resolved(element: Element, token: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${token})`;
  (element.parentElement ?? document.body).append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
