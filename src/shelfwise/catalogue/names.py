"""Words by which shops name their columns, in eight languages, and how a column name is compared with them.

Each role has *exact* names (the whole column name, in order of preference) and *words* (any whole word of
the name is a weaker hint). Names are compared after `normalise`: lower case, no accents, camelCase and
punctuation to spaces, so that ``Bild-URL``, ``bild_url`` and ``BildUrl`` are one name. Languages: English,
German, French, Dutch, Russian, Spanish, Portuguese, Italian. To teach a new name, add it here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache


def _lines(text: str) -> tuple[str, ...]:
    return tuple(part for line in text.splitlines() for part in (p.strip() for p in line.split(",")) if part)


EXACT: dict[str, tuple[str, ...]] = {
    "product_id": _lines("""
        product id, productid, item id, itemid, id, sku, sku id, uniq id, article id
        article number, asin
        pid, uid
        offer id, product code, item number, handle, gtin, ean, upc, code, product number, listing id
        artikelnummer, artikel nr, artikelnr, artnr, art nr, produktnummer, artikel id, produkt id
        bestellnummer
        reference, ref, id produit, code article, code produit, reference produit
        artikelcode, productnummer, bestelnummer
        артикул, код товара, ид, id товара, ид товара, код, номенклатура id, номер товара
        id producto, codigo, referencia, codigo producto, id del producto
        id produto, codigo produto, codigo do produto
        id prodotto, codice, codice prodotto, codice articolo, riferimento"""),
    "title": _lines("""
        title, product title, product name, productname, name, item name, product display name, item title
        headline, short name, offer title, display name, product, heading
        bezeichnung, titel, artikelbezeichnung, produktname, produkttitel, produktbezeichnung, artikelname
        libelle, titre, nom, nom du produit, nom produit, designation, intitule, libelle produit
        naam, productnaam, artikelnaam, producttitel
        название, наименование, название товара, наименование товара, заголовок, имя, товар, номенклатура
        titulo, nombre, nombre del producto, nombre producto, producto
        nome, nome do produto, nome produto, titulo do produto, produto
        titolo, nome prodotto, nome del prodotto, denominazione, prodotto"""),
    "description": _lines("""
        description, product description, long description, desc, body html, body, full description
        item description, text, content, overview, summary, about product, short description, details
        product details, about
        beschreibung, produktbeschreibung, artikelbeschreibung, langtext, langbeschreibung, kurzbeschreibung
        descriptif, description produit, description longue
        omschrijving, productomschrijving, beschrijving
        описание, описание товара, полное описание, краткое описание, текст
        descripcion, descripcion del producto, descripcion larga
        descricao, descricao do produto
        descrizione, descrizione prodotto"""),
    "brand": _lines("""
        brand, brand name, manufacturer, vendor, maker, product brand, manufacturer name
        marke, hersteller, markenname
        marque, fabricant
        merk, merknaam, fabrikant
        бренд, марка, производитель, торговая марка, изготовитель
        marca, fabricante
        produttore, marchio"""),
    "shop": _lines("""
        shop, shop title, shop name, seller, seller name, store, store name, merchant, merchant name, retailer
        supplier, marketplace, shop id, seller id, merchant id, store id
        handler, haendler, verkaufer, anbieter, lieferant
        boutique, vendeur, marchand, magasin, fournisseur
        winkel, verkoper, leverancier
        магазин, продавец, поставщик, название магазина
        tienda, vendedor, proveedor
        loja, fornecedor
        negozio, venditore, fornitore"""),
    "url": _lines("""
        url, product url, link, product link, page url, href, permalink, canonical url, deeplink, web page
        product page, produkt url, produktlink, artikel url
        lien, url produit, lien produit, product pagina
        ссылка, адрес страницы, ссылка на товар
        enlace, url del producto, ligacao, collegamento, url prodotto"""),
    "image": _lines("""
        image, image url, image link, images, img, imgurl, img url, image src, picture, pictures, picture url
        photo, photo url, main image, thumbnail, image path, image name, image file, large image, image urls
        photos
        bild, bild url, bildurl, bilder, bildlink, foto
        photo produit, url image, lien image
        afbeelding, afbeeldingen, afbeelding url
        изображение, изображения, фото, картинка, ссылка на изображение, ссылка на картинку
        imagen, imagenes, url imagen
        imagem, imagens, url da imagem
        immagine, immagini, url immagine"""),
    "price": _lines("""
        price, sale price, retail price, selling price, discount price, discounted price, actual price
        current price, final price, unit price, list price
        preis, verkaufspreis
        prix, prix de vente
        prijs, verkoopprijs
        цена, стоимость
        precio, preco, prezzo"""),
    "split": _lines("split, fold, partition, subset, dataset split, train test, data split, set"),
    "group": _lines("""
        cluster id, item group id, group id, product group id, offer cluster, offer cluster id, parent id
        parent sku, parent asin, variant group, variant group id, family id, cluster, offer group
        duplicate group, sender id
        gruppen id, gruppe id, id groupe, группа id, id группы"""),
    "nested": _lines("text fields"),
    "attributes": _lines("""
        attributes, attribute, specifications, specification, specs, product specifications, features, feature
        properties, characteristics, attribute values, bullet points, about item, options, product attributes
        tags, keywords, attribute list, item specifics
        eigenschaften, merkmale, attribut, attribute liste, produktmerkmale, technische daten
        caracteristiques, attributs
        kenmerken, eigenschappen, specificaties
        характеристики, свойства, атрибуты, параметры, характеристика
        caracteristicas, atributos, especificaciones
        especificacoes
        caratteristiche, attributi, specifiche"""),
    "label": _lines("""
        category path, category name, product category tree, category tree, google product category
        product category, product category path, breadcrumbs, breadcrumb, categories, category, taxonomy
        taxonomy path, product type, category full, full category, item category, category title, label
        target
        leaf category, department, class
        kategorie, kategoriepfad, kategorien, produktkategorie, warengruppe, produktgruppe, rubrik, sortiment
        categorie, categories produit, chemin de categorie, categorie produit, rayon, famille, arborescence
        categorieen, productcategorie, productgroep, categoriepad
        категория, категории, категория товара, путь категории, раздел, рубрика, группа товаров
        товарная группа, название категории
        categoria, categorias, categoria del producto, ruta de categoria
        categoria do produto, departamento
        categoria prodotto, percorso categoria, categorie prodotto, reparto
        article type, product class, type, section, aisle, genre, node, item type"""),
    "label_id": _lines("""
        category id, categoryid, cat id, categories id, leaf category id, category code, node id, browse node
        product type id, taxonomy id, target id, label id, class id
        kategorie id, kategorie nr, kategorienummer, warengruppen id, warengruppe nr
        id categorie, code categorie, categorie id, categorie code
        id категории, ид категории, код категории, категория id
        id categoria, codigo categoria, codice categoria, categoria id"""),
}
"""Role -> whole column names, most telling first. ``label_id`` is a category given as an id."""

WORDS: dict[str, frozenset[str]] = {
    role: frozenset(_lines(words))
    for role, words in {
        "product_id": "sku, asin, gtin, ean, artikelnummer, артикул, mpn, barcode",
        "title": """title, name, titel, titre, bezeichnung, libelle
            название, наименование, titulo, nombre, nome, titolo""",
        "description": """description, desc, beschreibung, omschrijving
            описание, descripcion, descricao, descrizione""",
        "brand": """brand, manufacturer, marke, hersteller, marque, merk
            бренд, производитель, marca, fabricante""",
        "shop": """shop, seller, merchant, store, retailer, supplier, handler, vendeur
            магазин, продавец, tienda, vendedor""",
        "url": "url, link, href, permalink, lien, ссылка, enlace",
        "image": """image, images, img, picture, photo, thumbnail, bild, foto, afbeelding
            изображение, фото, imagen, imagem, immagine""",
        "price": "price, preis, prix, prijs, цена, precio, preco, prezzo, msrp, rrp, mrp",
        "group": "cluster, duplicate",
        "attributes": """attributes, specifications, specs, features, properties, characteristics
            характеристики, eigenschaften, caracteristiques""",
        "label": """category, categories, subcategory, taxonomy, breadcrumb, breadcrumbs, department
            cat, subcat
            kategorie, kategorien, unterkategorie, hauptkategorie, warengruppe
            categorie, категория, категории, категорий, подкатегория, раздел, рубрика
            categoria, categorias, subcategoria, sottocategoria""",
    }.items()
}
"""Role -> words that hint at it anywhere in a column name."""

NUMBER_WORDS = frozenset(
    _lines("""
        rating, ratings, reviews, count, stock, quantity, qty, weight, discount, sale, score, rank, votes
        sales
        height, width, length, depth, bewertung, bewertungen, bestand, anzahl, gewicht, menge
        note, avis, poids, quantite, voorraad, aantal
        рейтинг, отзывы, количество, вес, остаток, скидка
        valoracion, cantidad, peso, estoque, avaliacao, quantita""")
)
"""Words of plain numbers: these and price words make a number column even where few values are numbers."""

COARSE_WORDS = frozenset(
    _lines("main, master, top, parent, root, department, haupt, hauptkategorie, главная, principal, primary")
)
"""Words of the upper of several level columns."""

FINE_WORDS = frozenset(
    _lines("""
        sub, subcategory, subcat, secondary, child, leaf, unterkategorie, sous, подкатегория
        subcategoria, sottocategoria, sottocategorie, subsubcategory""")
)
"""Words of a lower level column."""

_PLACEHOLDERS = frozenset(
    _lines("col, column, field, unnamed, var, spalte, feld, colonne, столбец, columna, coluna")
)


@lru_cache(maxsize=4096)
def normalise(name: str) -> str:
    """Return a column name as plain words: ``productDisplayName`` -> ``product display name``."""
    spaced = re.sub(r"(?<=[a-zа-яё])(?=[A-ZА-ЯЁ])", " ", name)
    # The breve stays: it makes Cyrillic short i a letter of its own.
    folded = "".join(
        c for c in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(c) or c == "\u0306"
    )
    words = re.findall(r"[^\W_\d]+|\d+", unicodedata.normalize("NFC", folded).lower())
    return " ".join(words)


def match(name: str, role: str) -> float:
    """Return how well a name speaks for a role: 2..1 for a whole name, 0.5 for a word of it, else 0."""
    plain = normalise(name)
    exact = EXACT.get(role, ())
    if plain in exact:
        return 2.0 - exact.index(plain) / len(exact)
    return 0.5 if WORDS.get(role, frozenset()) & set(plain.split()) else 0.0


def says_nothing(name: str) -> bool:
    """Whether a column name is a mere placeholder: ``col5``, ``V2``, ``Unnamed: 3``, ``field_7``, ``c``."""
    words = re.findall(r"[^\W\d_]+", name.lower())
    return all(len(word) == 1 or word in _PLACEHOLDERS for word in words)
