/**
 * Which place the address names. Places stand behind `#`, so that the page works from any host and folder without the server's help.
 */
interface Routed {
  path: string;
}

/** `/about` of `#/about?x=1`; `/` of nothing. */
export const pathOfHash = (hash: string): string => `/${hash.replace(/^#?\/*/, '').replace(/[?#].*$/, '')}`;

/** The place with this path, else the first. */
export const placeAt = <Place extends Routed>(places: readonly [Place, ...Place[]], path: string): Place =>
  places.find((place) => place.path === path) ?? places[0];

export class Router<Place extends Routed> {
  #path = $state('/');
  readonly places: readonly [Place, ...Place[]];

  constructor(places: readonly [Place, ...Place[]]) {
    this.places = places;
    this.#path = pathOfHash(location.hash);
  }

  get current(): Place {
    return placeAt(this.places, this.#path);
  }

  /** Follows the address until the returned function is called. `onchange` comes after the new place is known. */
  listen(onchange: (place: Place) => void): () => void {
    const follow = (): void => {
      const before = this.current;
      this.#path = pathOfHash(location.hash);
      if (this.current !== before) onchange(this.current);
    };
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }
}
