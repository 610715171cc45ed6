/** The ports of a browser, through Web Serial. The only file that knows `navigator`. */
import { DeviceError } from './device-error.ts';
import { type Port, type PortSource } from './port.ts';

/** Vendors of nearly all ESP32 boards: Espressif, Silicon Labs, WCH, FTDI. */
const USUAL_VENDORS = [0x303a, 0x10c4, 0x1a86, 0x0403];

/** Whether this browser has Web Serial. */
export const hasWebSerial = (): boolean => typeof navigator !== 'undefined' && 'serial' in navigator;

export class WebSerialPorts implements PortSource {
  readonly #serial: Serial;

  constructor(serial: Serial = navigator.serial) {
    this.#serial = serial;
  }

  list(): Promise<Port[]> {
    return this.#serial.getPorts();
  }

  /**
   * Opens the browser's picker; needs a user's gesture. With `all` it shows every port, not only those of the usual
   * vendors.
   *
   * @throws {DeviceError} `no-port-chosen`, `port-no-permission`.
   */
  async request({ all = false }: { all?: boolean } = {}): Promise<Port> {
    const filters = USUAL_VENDORS.map((usbVendorId) => ({ usbVendorId }));
    try {
      return await this.#serial.requestPort(all ? {} : { filters });
    } catch (error) {
      const name = error instanceof Error ? error.name : '';
      if (name === 'NotFoundError' || name === 'AbortError') {
        throw new DeviceError('no-port-chosen', 'No port was chosen', { cause: error });
      }
      throw new DeviceError('port-no-permission', 'The browser does not let this page use serial ports', {
        cause: error,
      });
    }
  }

  /** A board that is plugged in again comes as a new object; the old one stays dead. */
  onArrived(callback: (port: Port) => void): () => void {
    return this.#on('connect', callback);
  }

  onLeft(callback: (port: Port) => void): () => void {
    return this.#on('disconnect', callback);
  }

  #on(type: 'connect' | 'disconnect', callback: (port: Port) => void): () => void {
    const listener = (event: Event): void => callback(event.target as SerialPort);
    this.#serial.addEventListener(type, listener);
    return () => this.#serial.removeEventListener(type, listener);
  }
}
