/** What an app of ESP-IDF prints: its log, and how it ends when an assertion fails. */
import { revisionText } from '#formats/image-verify.ts';
import { error, formatLogLine, info, type LogLine, warning } from '#sim/boot/log-line.ts';
import { type Machine } from '#sim/machine.ts';
import { type StartedApp } from '#sim/boot/started-app.ts';

/** Milliseconds that a character takes at 115200 baud. */
export const MS_PER_CHARACTER = 10 / 115.2;
/** From the boot loader's jump to the app's first line: mapping, and clearing of RAM. */
export const START_MS = 15;
/** From the last words of a failed assertion to the restart. */
export const PANIC_MS = 120;
/** The driver's start, with its radio calibration. */
export const WIFI_START_MS = 180;

export class AppConsole {
  readonly #machine: Machine;
  readonly #app: StartedApp;

  constructor(machine: Machine, app: StartedApp) {
    this.#machine = machine;
    this.#app = app;
  }

  /** Prints lines. @returns milliseconds that it takes; whoever prints waits so long. */
  log(...lines: readonly LogLine[]): number {
    const now = this.#machine.clock.now() - this.#app.startedAt;
    return this.print(lines.map((line) => formatLogLine(line, now)).join(''));
  }

  print(text: string): number {
    this.#machine.send(text);
    return text.length * MS_PER_CHARACTER;
  }

  /** The end of a panic, whose first words are handed in. */
  panic(words: string): number {
    const digest = this.#app.image.description?.elfSha256.slice(0, 16);
    return this.print(`\r\n${words}\r\n\r\n\r\n${digest ? `ELF file SHA256: ${digest}\r\n\r\n` : ''}Rebooting...\r\n`);
  }
}

/** From `cpu_start` to the flash driver. From ESP-IDF 5.2 on the description comes from `app_init`. */
export function startLines({ image, chipRevision }: StartedApp, chip: string): LogLine[] {
  const { description, header } = image;
  const [major = 5, minor = 2] = (/(\d+)\.(\d+)/.exec(description?.idfVersion ?? '') ?? []).slice(1).map(Number);
  const tag = major > 5 || (major === 5 && minor >= 2) ? 'app_init' : 'cpu_start';
  const most = header.maxChipRevFull === 0 || header.maxChipRevFull === 0xffff ? 9999 : header.maxChipRevFull;
  return [
    info('cpu_start', chip === 'esp32c3' ? 'Unicore app' : 'Multicore app'),
    info('cpu_start', 'Pro cpu start user code'),
    info('cpu_start', 'cpu freq: 160000000 Hz'),
    info(tag, 'Application information:'),
    ...(description
      ? [
          info(tag, `Project name:     ${description.projectName}`),
          info(tag, `App version:      ${description.version}`),
          info(tag, `Compile time:     ${description.date} ${description.time}`),
          info(tag, `ELF file SHA256:  ${description.elfSha256.slice(0, 9)}...`),
          info(tag, `ESP-IDF:          ${description.idfVersion}`),
        ]
      : []),
    info('efuse_init', `Min chip rev:     ${revisionText(header.minChipRevFull)}`),
    info('efuse_init', `Max chip rev:     ${revisionText(most)} `),
    info('efuse_init', `Chip rev:         ${revisionText(chipRevision)}`),
    info('heap_init', 'Initializing. RAM available for dynamic allocation:'),
    info('spi_flash', 'detected chip: generic'),
    info('spi_flash', `flash io: ${header.flashMode ?? 'dio'}`),
  ];
}

/** What the flash driver says when the chip has another size than the boot loader's header tells. */
export function flashSizeLine(relation: 'smaller' | 'larger', real: number, believed: number): LogLine {
  const sizes = `Detected size(${real / 1024}k) ${relation} than the size in the binary image header(${believed / 1024}k).`;
  if (relation === 'smaller') return error('spi_flash', `${sizes} Probe failed.`);
  return warning('spi_flash', `${sizes} Using the size in the binary image header.`);
}
