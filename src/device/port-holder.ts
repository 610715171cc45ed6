/**
 * Follows one board from port to port: a native-USB board leaves at each reset and comes back as another `Port` object.
 */
import { type Clock, withLimit } from '#clock.ts';
import { DeviceError } from './device-error.ts';
import { ESPRESSIF_VENDOR } from './reset.ts';
import { type Port, type PortSource } from './port.ts';

export class PortHolder {
  readonly #clock: Clock;
  readonly #ends: (() => void)[] = [];
  readonly #arrived: Port[] = [];
  #onArrival: (() => void) | undefined;
  #onLoss: (() => void) | undefined;
  #port: Port;
  /** Whether somebody tells of ports that come: without that nothing can be followed. */
  readonly canFollow: boolean;

  constructor(port: Port, clock: Clock, source?: PortSource) {
    this.#port = port;
    this.#clock = clock;
    // Ids as they were: a port that has left may not tell them any more.
    this.canFollow = source !== undefined && port.getInfo().usbVendorId === ESPRESSIF_VENDOR;
    if (!source) return;
    this.#ends.push(
      source.onArrived((arrived) => this.#noteArrival(arrived)),
      source.onLeft((left) => {
        if (left === this.#port) this.#onLoss?.();
      }),
    );
  }

  get port(): Port {
    return this.#port;
  }

  /** Calls back when the platform says that the held port has left; it may say so before a read fails, or instead. */
  set onLoss(callback: (() => void) | undefined) {
    this.#onLoss = callback;
  }

  /** Forgets which ports came before: called ahead of a reset, so that `successor` takes one that came after it. */
  expectDeparture(): void {
    this.#arrived.length = 0;
  }

  /**
   * The port that takes the place of the held one, which it then is.
   *
   * @throws {DeviceError} `port-lost` when none comes within `ms`.
   */
  async successor(ms: number, signal?: AbortSignal): Promise<Port> {
    if (!this.canFollow) throw new DeviceError('port-lost', 'The port has left, and cannot be followed');
    if (this.#arrived.length === 0) {
      const arrival = new Promise<void>((resolve) => (this.#onArrival = resolve));
      await withLimit(this.#clock, arrival, {
        ms,
        ...(signal && { signal }),
        onTimeout: () => new DeviceError('port-lost', `The board left and did not come back within ${ms} ms`),
      }).finally(() => (this.#onArrival = undefined));
    }
    const port = this.#arrived.shift();
    if (!port) throw new DeviceError('port-lost', 'The port that came has left again');
    this.#port = port;
    return port;
  }

  /** Stops listening to the source. */
  dispose(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#onLoss = undefined;
  }

  #noteArrival(port: Port): void {
    // Product ids differ between loader and app (USB-OTG), so the vendor has to do; the MAC is compared afterwards.
    if (port === this.#port || port.getInfo().usbVendorId !== ESPRESSIF_VENDOR) return;
    this.#arrived.push(port);
    this.#onArrival?.();
  }
}
