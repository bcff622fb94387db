// Products that were opened or will be next: fetched ahead with their pictures, so that the next one is there at once.

import type { Api, Product } from "./api";

const KEPT = 200;
const FRESH = 20_000; // milliseconds after which one that is opened again is fetched anew, behind what is shown

export class Products {
  failed = new Map<number, string>();
  private known = new Map<number, { product: Product; at: number }>();
  private asked = new Set<number>();
  private again = new Set<number>(); // asked for while an answer was under way that may be too old

  constructor(private readonly api: Api, private readonly changed: (id: number) => void) {}

  get(id: number): Product | undefined {
    return this.known.get(id)?.product;
  }

  want(id: number): void {
    const found = this.known.get(id);
    if (!found || performance.now() - found.at > FRESH) void this.fetch(id);
  }

  renew(id: number): void {
    if (this.asked.has(id)) this.again.add(id);
    else void this.fetch(id);
  }

  patch(id: number, change: Partial<Product>): void {
    const found = this.known.get(id);
    if (found) this.known.set(id, { ...found, product: { ...found.product, ...change } });
  }

  forget(id: number): void {
    this.known.delete(id);
    this.failed.delete(id);
  }

  forgetAll(): void {
    this.known.clear();
    this.failed.clear();
  }

  async fetch(id: number): Promise<Product | undefined> {
    if (this.asked.has(id)) return undefined;
    this.asked.add(id);
    try {
      const product = await this.api.get<Product>(`/api/products/${id}`);
      this.known.delete(id);
      this.known.set(id, { product, at: performance.now() });
      this.failed.delete(id);
      for (const address of product.pictures.slice(0, 1)) new Image().src = sized(address, 640);
      if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value as number);
      return product;
    } catch (error) {
      this.failed.set(id, error instanceof Error ? error.message : String(error));
      return undefined;
    } finally {
      this.asked.delete(id);
      this.changed(id);
      if (this.again.delete(id)) void this.fetch(id);
    }
  }
}

/** The address of a picture in one of the sizes that the server gives; only the server's own addresses. */
export function sized(address: string, size: 160 | 640): string {
  if (!address.startsWith("/pictures/")) return "";
  return `${address}?size=${size}`;
}
