export type Page<Item> = { readonly items: Item[]; readonly nextCursor: string | null };
