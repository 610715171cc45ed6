/** Tells the station what a provisioned board holds. Where there is no station nothing happens; a failure stands in the way of nothing. */
import { type ProvisionedBoard } from '#api.ts';
import { isStationFailure, type StationClient } from './station-client.ts';

export class StationReport {
  /** Why the station does not know of the last board. */
  error = $state.raw<unknown>();
  readonly #client: StationClient;

  constructor(client: StationClient) {
    this.#client = client;
  }

  async tell(board: ProvisionedBoard): Promise<void> {
    this.error = undefined;
    try {
      await this.#client.station();
      await this.#client.provisioned(board);
    } catch (error) {
      if (!isStationFailure(error, 'station-absent', 'station-silent')) this.error = error;
    }
  }

  forget(): void {
    this.error = undefined;
  }
}
