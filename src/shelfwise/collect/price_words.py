"""Price words: what the names of elements and the words around a price say of it, in the languages of shops.

Regular expressions without nested repetition; those of marks are read in lower case.
"""

from __future__ import annotations

import re

# What marks (class, id and so on) of the nearest elements say of a price.
MARKS_PRICE = re.compile(
    r"price|prix|preis|prijs|preci|preco|preço|prezzo|cena|\bpris|pris\b|_pris|-pris|hinta|fiyat|"
    r"\bar\b|kaina|"
    r"tarif|importe|kakaku|amount|tsena|stoimost|\bcost\b|prijz|gia\b|harga|buy-?box"
)
MARKS_NOW = re.compile(
    r"current|special|__big|-big\b|big-?price|price-?red\b|\bsale|sale\b|sales|final|now\b|actual|"
    r"discounted|reduced|promo|selling|to-?pay|"
    r"indirimli|akci|aktion|angebot|offer-?price|price--?sale|price-new|new-price|price_new|primary|"
    r"main-price|"
    r"our-?price|gross|brutto|sell-?price|price--now|best-?price"
)
MARKS_OLD = re.compile(
    r"old|\bwas\b|was-|-was|before|compare|strike|striked|crossed|through|rrp|msrp|\buvp|original|"
    r"previous|former|"
    r"suggested-?retail|\bsrp|_srp|basis-?price|pseudo|list-?price|price-?list\b|liste?n?preis|statt|barre|"
    r"tachado|antes|ancien|"
    r"precedent|full-?price|price-standard|price-?full|piyasa|indirimsiz|secondary|market-?price|"
    r"lowest|omnibus|[_-]prev\b|(?:price|cena|preis|prix)[-_]*small|"
    r"30-?days|\bfrom-?price|undiscounted|higher|barrato|regular-?old|"
    r"_strike|staroe"
)
MARKS_RETAIL = re.compile(r"retail")  # the shop's own price as often as the recommended one
MARKS_REDUCED = re.compile(r"discount|on-?sale|reduced|--sale|has-sale|akcni|aktion|rebaj|promo")
MARKS_REGULAR = re.compile(r"regular|\bbase\b|standard|normal-?price|price-?normal")
MARKS_UNIT = re.compile(
    r"unit[-_ ]?price|price[-_ ]?per|per[-_ ]?unit|base-?price|baseprice|grundpreis|\bppu|measure|"
    r"price-unit|"
    r"unit_converted|price_unit|unitprice|referenceunit|per-kg|_vpe|pricepermeasure|price-additional"
)
MARKS_RATE = re.compile(
    r"instal|monthly|month\b|klarna|afterpay|clearpay|affirm|tabby|tamara|leasing|financ|cuota|parcel|"
    r"\braty|_raty|"
    r"splatk|taksit|parcela|rassroch|credit|ratenz|ratapay|\bemi\b|sezzle|laybuy|zip-?pay|oney|alma-|"
    r"scalapay"
)
MARKS_SHIP = re.compile(
    r"shipp|deliver|versand|livrais|postage|freight|frete|dostav|envio|spediz|verzend|toimitus|frakt"
)
MARKS_SAVE = re.compile(
    r"\bsave|saving|saved|you-save|discount-?amount|discount-?perc|econom|rabatt|ersparnis|percent|"
    r"bonus|points|"
    r"cashback|sale_block|deposit|pfand|badge|gift-?card|donat|\bfee\b|price-save|threshold|"
    r"loyalty-point|warrant"
)
MARKS_MEMBER = re.compile(
    r"member|\bclub|-club|loyalty|\bprime\b|\bvip\b|premium-price|subscri|\babo\b|coupon|voucher|"
    r"wholesale|tier-?pric|"
    r"bulk|quantity-?(?:price|discount)|staffel|pix\b|boleto|havale|b2b|business-price|with-?card|"
    r"(?<!product)(?<!product[-_])card-?price|trade-?price"
)
MARKS_NET = re.compile(
    r"\bnet\b|netto|_net\b|-net\b|__net|excl|ex-?vat|ex-?tax|without-?tax|withouttax|pretax|tax_excl|"
    r"no-?tax|"
    r"price-?ht\b|bez-?dph|price--withoutTax|nett\b"
)
MARKS_OTHER = re.compile(
    r"\bused|gebraucht|refurb|second-?hand|pre-?owned|other-?sellers|\btrade-?in|\bswap|approx|converted"
)

# What the words around a price say of it.
SAYS_OLD = re.compile(
    r"\buvp\b|\bstatt\b|\bwas\b|\brrp\b|\bmsrp\b|\bmrp\b|list price|\binstead\b|previously|original price|"
    r"price reduced from|\bbefore\b|compare at|\bvorher|bisher|listenpreis|unverb|adviesprijs|van voor|"
    r"\bvan\b:?\s*$|"
    r"\bpvpr?\b|\bantes\b|prix conseill|\bavant\b|au lieu|prix barr|prix de r[ée]f|listino|\bprima\b|"
    r"\binvece\b|anziché|"
    r"katalogow|przed obni|30 dni|ostatnich|\bfør|förut|tidigare|\bovh|"
    r"førpris|veil\.|"
    r"původní|\bdmoc|\bmoc\b|pôvodn|listaár|eredeti|korábbi|piyasa|\byerine\b|希望小売|"
    r"定価|参考価格|原价|原價|市场价|市售價|"
    r"市場價|建议零售|소비자가|정가|старая|раньше|\bбыло|без скидки|стара ціна|precio anterior|"
    r"precio original|"
    r"precio de lista|\bde:\s*$|preço original|\bpreț vechi|preț recomandat|\bprp\b|αρχική τιμή|παλιά|"
    r"προτεινόμενη|"
    r"suositus|ohjehinta|\bovh\b|harga asli|giá gốc|giá niêm yết|giá cũ|giá thị trường|"
    r"بدلا|قبل الخصم|السعر الأصلي|מחיר קודם|לפני הנחה|lowest price|niedrigster|prix le plus bas|"
    r"laagste prijs|"
    r"najniższa|najniža|najnižja|zemākā|mažiausia|madalaim|nejnižší|najnižšia|legalacsonyabb|cel mai mic|"
    r"lägsta pris|laveste pris|"
    r"alin hinta|"
    r"preisempfehlung|prezzo consigliato|precio recomendado|catalogue price|valor anterior|^\s*de r\$",
    re.IGNORECASE,
)
SAYS_REGULAR = re.compile(
    r"regular price|normal price|standard price|non-?members?\b|without (?:the )?(?:card|membership)|"
    r"normalpreis|normaler preis|regulärer preis|regulärpreis|ohne (?:karte|app|abo)\b|prix normal|"
    r"prix standard|"
    r"prix non[ -]adh|sans carte|precio (?:normal|regular|habitual)|sin tarjeta|prezzo (?:normale|regolare|"
    r"pieno)|"
    r"senza carta|preço (?:normal|regular)|sem cartão|normale prijs|reguliere prijs|regularna|regularny|"
    r"normalna|bez karty|běžná|bežná|normál ár|normaalihinta|\bnorm\.|normalpris|ordinarie|ordinær|"
    r"\bord\.|\bpreț (?:normal|întreg)|κανονική τιμή|обычная цена|без карты|без .{2,12} карт[ыи]|звичайна|"
    r"редовна|redovna|įprasta kaina|parastā cena|tavahind|normal fiyat|通常価格|一般価格|非会員|定價|原售價|"
    r"정상가|일반가|ราคาปกติ|giá thường|harga normal|harga biasa|السعر العادي|מחיר רגיל",
    re.IGNORECASE,
)
SAYS_UNIT = re.compile(
    r"^\s*(?:€|eur|zł|kč|kr\.?|ft|£|\$|руб\.?|₽|lei|tl|ден)?\s*(?:/|per\b|pro\b|je\b|pour\b|por\b|al\b|"
    r"za\b|à|a)\s*"
    r"(?:\d[\d.,]*\s*)?(?:kg|g|gr|l|ml|cl|dl|100|1000|m|m2|m²|lfm|lm|meter|metre|oz|lb|fl|kilo|litre|"
    r"liter|litro|кг|л|"
    r"unit|unidad|wash|waschgang|tab|capsule|kapsel|sheet|blatt|pièce|pz|dose|dosis)\b",
    re.IGNORECASE,
)
SAYS_UNIT_BEFORE = re.compile(
    r"grundpreis|unit price|per unit|prix au (?:kilo|litre|kg)|prix unitaire|jednotková|"
    r"cena jednostkowa|egységár|"
    r"\bppm\b|每克|每公斤|每100|単価|jämförpris|jfr-?pris|kilopris|litrapris|prezzo al|precio por|"
    r"cena za (?:kg|l\b|100)|"
    r"\bper\s+(?:100|kg|litre|liter|l|g|ml)\b",
    re.IGNORECASE,
)
SAYS_RATE = re.compile(
    r"instal|/\s?(?:mo|month|mån|mnd|md|mies|měs|mes|mois|monat|ay)\b|per month|a month|monatlich|"
    r"\bmonat\b|par mois|"
    r"al mese|al mes\b|per maand|\bmån\b|pr\. md|miesięcz|měsíčně|mesačne|havonta|hó\b|в месяц|/\s?мес|"
    r"\bмес\b|"
    r"на місяць|payments? of|"
    r"pay in \d|\bcuotas?\b|\bparcelas?\b|sem juros|sin inter[ée]s|\braty?\b|\brat\b|ratenzahlung|"
    r"finanzier|taksit|"
    r"\btermijn|\btermin\b|splátk|splatk|rate a partire|\brate da\b|\d+\s?x\s?(?:de|di|von|van|à|"
    r"a)?\s*[^\d]{0,4}$|emi start|"
    r"\bemi\b|分期|分割|할부|рассрочк|долями|в кредит|klarna|afterpay|paypal|tabby|tamara|دفعات|تقسيط|"
    r"تشלומים|תשלומים|trả góp|cicilan|"
    r"em até|/\s?期|每期|\d期|\bfois\b|fractionné|δόσεις|erässä|kuukausi|/kk|järelmaks|kuumakse|išsimokėtin|"
    r"/\s?mėn|/\s?mēn|līzing|\bobrok",
    re.IGNORECASE,
)
SAYS_SHIP = re.compile(
    r"shipping|delivery|postage|p&p|versand|lieferung|livraison|envío|env[ií]o gratis|frete|spedizion|"
    r"verzend|bezorg|dostaw|"
    r"doprav|szállít|livrare|transport|доставк|kargo|frakt|fragt|levering|toimitus|送料|运费|運費|配送|"
    r"배송|ongkir|phí vận|الشحن|"
    r"משלוח|αποστολ|μεταφορικ|portes|pristatym|piegād|kohaletoimet|transpor[dt]i|postnina|free over|"
    r"orders over|ab einem|over \$|za nákup|nad \d",
    re.IGNORECASE,
)
SAYS_SAVE = re.compile(
    r"\bsave\b|you save|\bspar(?:en|st|t)\b|ersparnis|gespart|économi[es]|ahorr|risparmi|\bbespaar|oszczęd|"
    r"\bušet|"
    r"spare\b|spar\b|"
    r"säästä|экономи|выгод|скидк|знижк|kazan|お得|節約|省\b|할인|tiết kiệm|hemat|وفر|חיסכון|"
    r"desconto de|economiz|\boff\b|"
    r"ポイント|积分|\bpoints?\b|punkte|bonus|бонус|баллов|cashback|кэшбэк|deposit|pfand|acompte|"
    r"gutschein|coupon|gift card",
    re.IGNORECASE,
)
SAYS_MEMBER = re.compile(
    r"member|\bclub|klub|\bvip\b|\bprime\b|loyalty|mitglied|mit (?:app|karte|abo)|im abo|adhérent|\bsocio|"
    r"\bsoci\b|\bleden|"
    r"medlem|kortilla|etukort|clubpri|kártyával|con fidelity|fidelidad|fidélité|"
    r"carte de fid|törzsvásárl|с картой|c картой|по карте|карт[аы]|会员|會員|会員|회원|"
    r"멤버|عضو|חבר מועדון|subscribe|"
    r"abonn|kundenkarte|bonuscard|plus-?kunde|jäsen|üyelere|wholesale|від \d+ шт|от \d+ шт|ab \d+ st|"
    r"from \d+ pcs|"
    r"transferencia|no pix|à vista|boleto|havale|eft ile|bank transfer|with (?:the )?(?:code|coupon|"
    r"card)|student|z kartą|"
    r"s kartou|con tarjeta|con carta|avec la carte|met pas|c .{2,12} карт|\bfamily(?:[\s-]*(?:price|pris|"
    r"preis|prix))?\s*[:：]?\s*$|"
    r"[^\W\d_]\s?plus\+?\s*[:：]?\s*$|adhérent|lojalum|lojāl|"
    r"(?:pris med|price with|preis mit|prix avec|precio con|prezzo con|prijs met|hinta)\s+"
    r"(?!(?:\d|mwst|ust|moms|vat|tax|iva|tva|btw|alv|gst|mva|pdv|dph|korting|rabatt|remise))(?-i:[A-ZÅÄÖ])|"
    r"\d\s?(?:or more|oder mehr|ou plus|o más|o mas|ou mais|o più|of meer|eller fler|eller flere|tai enemmän|"
    r"lub więcej|nebo více|alebo viac|vagy több|sau mai mult|или более|или больше|и более|або більше|"
    r"veya daha|"
    r"ali več|ili više|個以上|点以上|개 이상|件以上)|"
    r"\b(?:buy|any|kaufe|koop|achetez|compra|comprando|kup|köp|køb) \d+\b|^\s*(?:from|ab|от|від|od|"
    r"à partir de) "
    r"\d+\s*(?:x|st|pcs|шт|szt|ks|db)?\.?\s*$",
    re.IGNORECASE,
)
SAYS_NET = re.compile(
    r"\bnetto?\b|excl|\bex\.? ?(?:vat|tax|gst|iva|btw|moms)|zzgl\.?\s*(?:\d+\s*%?\s*)?(?:mwst|ust)|"
    r"ohne mwst|\bht\b|h\.t\.|hors taxe|"
    r"sin iva|sem iva|iva escl|\+ ?iva|bez dph|bez vat|bez pdv|без ндс|без пдв|fără tva|\+ ?áfa|nettó|"
    r"ekskl|eks\.? mva|exkl|"
    r"alv ?0|ilman alv|kdv hariç|\+ ?kdv|税抜|税別|不含税|별도|chưa vat|غير شامل|לפני מע|χωρίς φπα|"
    r"before tax|plus (?:vat|tax|gst)|"
    r"\+ ?(?:vat|gst|tax)\b|net price",
    re.IGNORECASE,
)
SAYS_OTHER = re.compile(
    r"gebraucht|\bused\b|refurb|second hand|occasion|reconditionné|usato|approximately|approx|ca\. |"
    r"seconda mano|б/у|中古",
    re.IGNORECASE,
)
SAYS_NOW = re.compile(
    r"\bnow\b|sale price|special price|our price|\bjetzt\b|aktion|unser preis|angebot|\bnu\b|nåpris|"
    r"\bahora|agora|\bora\b|"
    r"prix spécial|maintenant|prezzo speciale|oferta|nasza cena|promoc|akční|akciós|akcijsk|indirimli|"
    r"販売価格|现价|現價|現在価格|促销价|活动价|판매가|"
    r"할인가|цена со скидкой|speciale prijs|tarjoushinta|por:?\s*$|sonderpreis|zľava|cena po|"
    r"prix promo|特價|特价|セール",
    re.IGNORECASE,
)
