"""Vocabulary: the words of shops that tell what a piece of a page is, in the languages of shops.

Words of whole labels are kept folded (see `wording.fold`); patterns of prices and marks are regular
expressions without nested repetition.
"""

from __future__ import annotations

import re

from shelfwise.collect.wording import fold


def _folded(*groups: str) -> frozenset[str]:
    return frozenset(fold(word) for group in groups for word in group.split("|") if fold(word))


HOME = _folded(
    "home|homepage|home page|start|startseite|zur startseite|startpagina|startpage|accueil",
    "page d'accueil|inicio",
    "início|página inicial|pagina inicial|página principal|principal|portada|pagina principale",
    "strona główna|główna",
    "hlavní stránka|úvod|úvodní stránka|úvodní strana|domů|domov|úvodná stránka|hlavná stránka",
    "kezdőlap|főoldal",
    "nyitólap|nyitólapra|címlap|főkategória|acasă|acasa|pagina principală|prima pagină|начало",
    "начална страница",
    "главная|главная страница|на главную|головна|головна сторінка|галоўная|почетна|početna",
    "početna stranica|naslovna",
    "naslovnica|domača stran|αρχική|αρχική σελίδα|αρχικη|anasayfa|ana sayfa|ホーム|トップ|トップページ",
    "top|top page",
    "首页|首頁|主页|主頁|홈|메인|หน้าแรก|หน้าหลัก|trang chủ|beranda|halaman utama|laman utama|utama",
    "الرئيسية",
    "الصفحة الرئيسية|בית|דף הבית|עמוד הבית|ראשי|صفحه اصلی|خانه|hjem|forside|forsiden|startsida",
    "startsidan|hem",
    "etusivu|koti|esileht|avaleht|sākums|sākumlapa|pradžia|pradzia|titulinis|pagrindinis|heim|forsíða",
    "thuis|hoofdpagina",
    "होम|मुख्य पृष्ठ|হোম|главная стр|მთავარი|գլխավոր|ana səhifə|bosh sahifa|басты бет|үй|kreu",
    "faqja kryesore|hemsida",
    "storefront|store front|kezdő oldal|zur shop-startseite",
    "shop home|store home|online shop|onlineshop|webshop home|home shop|inici|hasiera|início da loja",
    "tahanan|utama",
)
HERE = _folded(
    "you are here|you're here|location|sie sind hier|sie befinden sich hier|hier|vous êtes ici",
    "vous etes ici|estás en",
    "estás aquí|usted está aquí|você está aqui|está aqui|sei in|ti trovi in|sei qui|tu sei qui",
    "u bent hier|je bent hier",
    "вы здесь|вы находитесь здесь|ви тут|olet tässä|du er her|du är här|jesteś tutaj|tu jesteś",
    "nacházíte se zde",
    "jste zde|nachádzate sa tu|ön itt áll|jelenlegi hely|itt jár|te afli aici|вие сте тук",
    "βρίσκεστε εδώ|είστε εδώ",
    "buradasınız|현재 위치|現在位置|您的位置|当前位置|您所在的位置|当前所在位置|目前位置|breadcrumb",
    "breadcrumbs|navigation|fil d'ariane",
    "brotkrumen|brödsmulor|brødkrumme|kruimelpad|hlebni|path|navigate|navegación",
    "you are currently here|bạn đang ở đây",
    "breadcrumb navigation|wo bin ich|現在的位置|現在地|return|you are at|brödsmula|murupolku|okruszki",
    "category|categories|אתה כאן|أنت هنا|listed in category",
)
BACK = _folded(
    "back|go back|back to|back to results|back to search results|zurück|zur übersicht|übersicht",
    "zurück zur übersicht",
    "retour|terug|volver|atrás|voltar|indietro|torna indietro|назад|вернуться|wstecz|powrót|tilbage",
    "tillbaka|takaisin",
    "zpět|späť|vissza|înapoi|geri|戻る|返回|뒤로|previous|prev|next|vor|suivant|précédent|more|menu",
    "share|...|…",
    "nazaj|natrag|πίσω|tagasi|atpakaļ|atgal|kembali|quay lại|رجوع|חזרה|nästa|föregående|weiter",
)
BACK_START = re.compile(
    r"^(?:[‹«<←]\s*)?(?:back to|return to|zurück zu|retour (?:à|aux|au|vers|naar)|terug naar|volver a|"
    r"voltar para|"
    r"torna a|вернуться|powrót do|tilbage til|tillbaka till|zpět na|continue shopping|all results)\b",
    re.IGNORECASE,
)
BRAND = _folded(
    "brand|brands|brand name|manufacturer|manufactured by|maker|vendor|label|designer|marke|hersteller",
    "markenname",
    "marque|fabricant|constructeur|marca|fabricante|produttore|merk|fabrikant|бренд|производитель",
    "марка|торговая марка",
    "виробник|торгова марка|marka|producent|značka|výrobce|výrobca|gyártó|márka|producător|brend",
    "proizvođač|producător",
    "μάρκα|κατασκευαστής|марка производител|üretici|marka adı|marke|mærke|märke|varumärke|fabrikat",
    "tillverkare|merke",
    "produsent|tuotemerkki|merkki|valmistaja|kaubamärk|bränd|tootja|zīmols|ražotājs|prekės ženklas",
    "gamintojas",
    "ブランド|ブランド名|メーカー|メーカー名|品牌|品牌名称|브랜드|제조사|제조업체|แบรนด์|ยี่ห้อ",
    "thương hiệu|hãng|nhãn hiệu|merek|jenama",
    "الماركة|العلامة التجارية|ماركة|البراند|מותג|יצרן|برند|ब्रांड|by brand|blagovna znamka",
    "proizvajalec|vörumerki",
)
NO_BRAND = _folded(
    "generic|no brand|unbranded|noname|no name|none|n/a|na|null|undefined|unknown|other|others|default",
    "brand|kein|ohne",
    "keine|sonstige|andere|sans marque|autre|sin marca|senza marca|без бренда|нет бренда|нет|ei ole",
    "merkløs|tidak ada merek",
    "无|無|无品牌|ノーブランド|ノーブランド品|no brand/无品牌|unbekannt|not specified|manufacturer",
    "hersteller|marke|-|false|true",
    "oem|no|any|see description|does not apply|markenlos|bez marki|brak|neuvedeno|vendor|shop",
)
GENDERS = {
    "female": "women", "women": "women", "woman": "women", "womens": "women", "damen": "women",
    "femme": "women",
    "femmes": "women", "mujer": "women", "donna": "women", "feminino": "women", "женский": "women",
    "dame": "women",
    "dam": "women", "dames": "women", "ladies": "women", "レディース": "women", "女士": "women",
    "女性": "women",
    "dámské": "women", "damskie": "women", "kadın": "women", "для женщин": "women", "naiset": "women",
    "male": "men", "men": "men", "man": "men", "mens": "men", "herren": "men", "homme": "men",
    "hommes": "men",
    "hombre": "men", "uomo": "men", "masculino": "men", "мужской": "men", "herre": "men", "herr": "men",
    "heren": "men", "メンズ": "men", "男士": "men", "男性": "men", "pánské": "men", "męskie": "men",
    "erkek": "men",
    "для мужчин": "men", "miehet": "men",
    "unisex": "unisex", "унисекс": "unisex", "uniseks": "unisex", "ユニセックス": "unisex",
    "boys": "boys", "girls": "girls", "jungen": "boys", "mädchen": "girls", "kids": "kids", "kinder": "kids",
    "children": "kids", "child": "kids", "enfant": "kids", "enfants": "kids", "niños": "kids",
    "bambini": "kids",
    "детский": "kids", "дети": "kids", "kinderen": "kids", "barn": "kids", "børn": "kids", "lapset": "kids",
    "キッズ": "kids", "çocuk": "kids", "dziecięce": "kids", "baby": "babies", "babies": "babies",
    "infant": "babies", "newborn": "babies", "toddler": "kids", "teen": "teens", "adult": "adults",
    "adults": "adults",
}  # fmt: skip
GENDER_LABELS = _folded(
    "gender|audience|target group|geschlecht|zielgruppe|genre|sexe|género|genero|sexo|genere|sesso",
    "geslacht|doelgroep",
    "пол|для кого|стать|płeć|pohlaví|pohlavie|nem|gen|cinsiyet|kjønn|køn|kön|sukupuoli|性別|性别|성별",
    "giới tính|الجنس|מגדר",
    "age group|altersgruppe|suggested gender|target gender|department|для|φύλο",
)

# What marks (class, id and so on) of the nearest elements say of a price.
MARKS_PRICE = re.compile(
    r"price|prix|preis|prijs|preci|preco|preço|prezzo|cena|\bpris|pris\b|_pris|-pris|hinta|fiyat|"
    r"\bar\b|kaina|"
    r"tarif|importe|kakaku|amount|tsena|stoimost|\bcost\b|prijz|gia\b|harga|buy-?box"
)
MARKS_NOW = re.compile(
    r"current|special|\bsale|sale\b|sales|final|now\b|actual|discounted|reduced|promo|selling|to-?pay|"
    r"indirimli|akci|aktion|angebot|offer-?price|price--?sale|price-new|new-price|price_new|primary|"
    r"main-price|"
    r"our-?price|gross|brutto|sell-?price|price--now|best-?price"
)
MARKS_OLD = re.compile(
    r"old|\bwas\b|was-|-was|before|compare|strike|striked|crossed|through|rrp|msrp|\buvp|original|"
    r"previous|former|"
    r"retail|\bsrp|_srp|basis-?price|pseudo|list-?price|price-?list\b|liste?n?preis|statt|barre|"
    r"tachado|antes|ancien|"
    r"precedent|full-?price|price-standard|price-?full|piyasa|indirimsiz|secondary|market-?price|"
    r"lowest|omnibus|"
    r"30-?days|\bfrom-?price|undiscounted|normalprice|normal-?price|higher|barrato|regular-?old|"
    r"_strike|staroe"
)
MARKS_REGULAR = re.compile(r"regular|\bbase\b|standard")
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
    r"card-?price|trade-?price"
)
MARKS_NET = re.compile(
    r"\bnet\b|netto|_net\b|-net\b|__net|excl|ex-?vat|ex-?tax|without-?tax|withouttax|pretax|tax_excl|"
    r"no-?tax|"
    r"price-?ht\b|bez-?dph|price--withoutTax|nett\b"
)
MARKS_OTHER = re.compile(
    r"\bused|gebraucht|refurb|second-?hand|pre-?owned|other-?sellers|\btrade-?in|\bswap|approx|converted"
)
MARKS_CENTRE = re.compile(r"product|prod|item|detail|pdp|artikel|article|goods|offer|tovar")

# What the words around a price say of it.
SAYS_OLD = re.compile(
    r"\buvp\b|\bstatt\b|\bwas\b|\brrp\b|\bmsrp\b|list price|\binstead\b|previously|original price|"
    r"regular price|"
    r"price reduced from|\bbefore\b|compare at|\bvorher|bisher|listenpreis|unverb|adviesprijs|van voor|"
    r"\bvan\b:?\s*$|"
    r"\bpvpr?\b|\bantes\b|prix conseill|\bavant\b|au lieu|prix barr|prix de r[ée]f|listino|\bprima\b|"
    r"\binvece\b|anziché|"
    r"katalogow|przed obni|30 dni|ostatnich|regularna|\bfør|förut|tidigare|\bord\.|\bnorm\.|\bovh|"
    r"førpris|veil\.|"
    r"běžná|původní|\bdmoc|\bmoc\b|bežná|pôvodn|listaár|eredeti|korábbi|piyasa|\byerine\b|希望小売|"
    r"定価|通常価格|参考価格|原价|原價|市场价|"
    r"市場價|建议零售|소비자가|정가|정상가|старая|раньше|\bбыло|без скидки|стара ціна|precio anterior|"
    r"precio original|"
    r"precio de lista|\bde:\s*$|preço original|\bpreț vechi|preț recomandat|\bprp\b|αρχική τιμή|παλιά|"
    r"προτεινόμενη|"
    r"normaalihinta|suositus|ohjehinta|\bovh\b|harga asli|giá gốc|giá niêm yết|giá cũ|giá thị trường|"
    r"بدلا|قبل الخصم|السعر الأصلي|מחיר קודם|לפני הנחה|lowest price|niedrigster|prix le plus bas|"
    r"laagste prijs|"
    r"najniższa|regularny|nejnižší|najnižšia|legalacsonyabb|cel mai mic|lägsta pris|laveste pris|"
    r"alin hinta|"
    r"preisempfehlung|prezzo consigliato|precio recomendado|catalogue price|valor anterior|^\s*de r\$",
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
    r"al mese|al mes\b|per maand|\bmån\b|pr\. md|miesięcz|měsíčně|mesačne|havonta|hó\b|в месяц|/мес|"
    r"на місяць|payments? of|"
    r"pay in \d|\bcuotas?\b|\bparcelas?\b|sem juros|sin inter[ée]s|\braty?\b|\brat\b|ratenzahlung|"
    r"finanzier|taksit|"
    r"\btermijn|\btermin\b|splátk|splatk|rate a partire|\brate da\b|\d+\s?x\s?(?:de|di|von|van|à|"
    r"a)?\s*[^\d]{0,4}$|emi start|"
    r"\bemi\b|分期|分割|할부|рассрочк|долями|в кредит|klarna|afterpay|paypal|tabby|tamara|دفعات|تقسيط|"
    r"تشלומים|תשלומים|trả góp|cicilan|"
    r"em até|\bfois\b|fractionné|δόσεις|erässä|kuukausi|/kk",
    re.IGNORECASE,
)
SAYS_SHIP = re.compile(
    r"shipping|delivery|postage|p&p|versand|lieferung|livraison|envío|env[ií]o gratis|frete|spedizion|"
    r"verzend|bezorg|dostaw|"
    r"doprav|szállít|livrare|transport|доставк|kargo|frakt|fragt|levering|toimitus|送料|运费|運費|配送|"
    r"배송|ongkir|phí vận|الشحن|"
    r"משלוח|αποστολ|μεταφορικ|portes|postnina|free over|orders over|ab einem|over \$|za nákup|nad \d",
    re.IGNORECASE,
)
SAYS_SAVE = re.compile(
    r"\bsave\b|you save|\bsparen|ersparnis|gespart|économi[es]|ahorr|risparmi|\bbespaar|oszczęd|\bušet|"
    r"spare\b|spar\b|"
    r"säästä|экономи|выгод|скидк|знижк|kazan|お得|節約|省\b|할인|tiết kiệm|hemat|وفر|חיסכון|"
    r"desconto de|economiz|\boff\b|"
    r"ポイント|积分|\bpoints?\b|punkte|bonus|бонус|баллов|cashback|кэшбэк|deposit|pfand|acompte|"
    r"gutschein|coupon|gift card",
    re.IGNORECASE,
)
SAYS_MEMBER = re.compile(
    r"member|\bclub\b|\bvip\b|\bprime\b|loyalty|mitglied|mit (?:app|karte|abo)|im abo|adhérent|\bsocio|"
    r"\bsoci\b|\bleden|"
    r"medlem|klubb|klubov|klubi|kortilla|etukort|clubpri|kártyával|con fidelity|fidelidad|fidélité|"
    r"carte de fid|törzsvásárl|с картой|c картой|по карте|карт[аы]|会员|會員|会員|회원|"
    r"멤버|عضو|חבר מועדון|subscribe|"
    r"abonn|kundenkarte|bonuscard|plus-?kunde|jäsen|üyelere|wholesale|від \d+ шт|от \d+ шт|ab \d+ st|"
    r"from \d+ pcs|"
    r"transferencia|no pix|à vista|boleto|havale|eft ile|bank transfer|with (?:the )?(?:code|coupon|"
    r"card)|student|z kartą|"
    r"s kartou|con tarjeta|con carta|avec la carte|met pas",
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
    r"販売価格|促销价|活动价|판매가|"
    r"할인가|цена со скидкой|speciale prijs|tarjoushinta|por:?\s*$|sonderpreis|zľava|cena po|"
    r"prix promo|特價|特价|セール",
    re.IGNORECASE,
)
BUY = re.compile(
    r"add[\s_-]*to[\s_-]*(?:shopping[\s_-]*)?(?:cart|basket|bag|trolley)|addtocart|addtobasket|"
    r"\bbuy\s?now|\bbuy it now|"
    r"^\s*(?:buy|order|checkout)\s*$|in den (?:waren|einkaufs)korb|\bkaufen\b|in mein(?:en)? warenkorb|"
    r"ajouter au panier|"
    r"\bacheter|ajouter à mon|añadir al? (?:carrito|cesta|carro|bolsa)|agregar al? (?:carrito|carro|"
    r"bolsa)|\bcomprar|"
    r"adicionar ao|aggiungi al|\bacquista|in winkel(?:wagen|mand)|toevoegen aan|bestel|do kosz?yka|"
    r"kup teraz|do košíku|"
    r"do košíka|\bkoupit|kosárba|adaug[ăa] [îi]n co[șş]|cumpăr|în coș|в корзину|купить|добавить в|"
    r"до кошика|купити|у кошик|"
    r"в количка|купи|sepete|satın al|lägg i|köp\b|i varukorgen|læg i kurv|i kurv|kjøp|legg i|"
    r"ostoskoriin|osta\b|"
    r"lisää kori|lisa korvi|ostukorvi|grozā|į krepšelį|u košaricu|u korpu|v košarico|στο καλάθι|"
    r"カートに入れ|かごに入れ|カゴに入れ|"
    r"購入|加入购物车|加入購物車|立即购买|立即購買|장바구니|구매|ใส่ตะกร้า|หยิบใส่|thêm vào giỏ|"
    r"mua ngay|keranjang|\bbeli\b|troli|"
    r"أضف (?:إلى|للسلة|لل)|اشتر|השלה|הוספה לסל|הוסף לסל|לסל|افزودن به سبد|reserve|pre-?order|"
    r"vorbestellen|précommander",
    re.IGNORECASE,
)
SOLD_OUT = re.compile(
    r"sold out|out of stock|ausverkauft|nicht (?:mehr )?(?:verfügbar|lieferbar)|rupture de stock|"
    r"épuisé|agotado|esgotado|"
    r"esaurito|uitverkocht|нет в наличии|немає в наявності|niedostępny|vyprodáno|elfogyott|slutsåld|"
    r"udsolgt|utsolgt|"
    r"loppuunmyyty|tükendi|売り切れ|在庫切れ|品切れ|缺货|缺貨|품절|hết hàng|stok habis|نفد|אזל|"
    r"notify me|benachrichtig",
    re.IGNORECASE,
)
# Parts of a page that are not about its product.
ASIDE = re.compile(
    r"relat(?:ed|ionn)|upsell|up-sell|cross-?sell|(?<![\w-])x-sell|crosssell|similar|also[-_]|"
    r"also-?bought|also-?purch|also_purch|recommend|reco-|"
    r"recent|viewed|suggest|you-?may|you-?might|mini-?cart|minibasket|cart-?(?:drawer|dropdown|summary|"
    r"widget|total)|"
    r"site-?header|navbar|main-?nav|mega-?menu|\bmenu|sub-?menu|cookie|consent|newsletter|\breview|"
    r"testimonial|comment|"
    r"\bpopup|modal-cart|featured-prod|bestsell|best-sell|topseller|new-?arriv|whatsnew|also-?like|"
    r"complete-the|"
    r"products-?grid|product-?grid|product-?list|productlist|products-list|prdlist|xans-product-rel|"
    r"associated|accessor|zubehoer|bundle|frequently|shelf|sponsor|\bfooter|site-?footer|sidebar|"
    r"side-?box|columnleft|"
    r"vergelijk|compare-?prod|wishlist|lookbook|instagram|announcement|promo-?bar|top-?bar|"
    r"shop-?the-?look|set-?items|"
    r"product-?miniature|product-?card|productcard|product-?tile|product-?thumb\b|other-?products|"
    r"sims-|more-?from|hotspot"
)
ASIDE_FOR_PRICES = re.compile(
    r"carousel|slider|swiper|\brail\b|tile\b|teaser|slick|\bqa\b|faq|\bblog|tooltip"
)
ASIDE_HEADINGS = re.compile(
    r"you (?:may|might) (?:also )?like|related|similar|recommended|also (?:bought|viewed|purchased|like)|"
    r"recently viewed|frequently bought|complete (?:the|your)|people also|more from|customers who|"
    r"best ?sellers|"
    r"ähnliche|auch gekauft|auch interess|passend(?:e|es) zubehör|das könnte|zuletzt (?:an)?gesehen|"
    r"kunden kauften|"
    r"vous aimerez|produits similaires|associés|également|complémentaires|también te|relacionados|"
    r"similares|recomendad|"
    r"também|relacionad|potrebbe|correlati|simili|anche|gerelateerd|vaak samen|anderen bekeken|"
    r"ook interessant|"
    r"похожие|с этим товаром|рекоменду|также|схожі|разом з|podobne|polecane|kupili także|podobné|"
    r"související|mohlo by|"
    r"kapcsolódó|hasonló|ajánlott|asemănătoare|similare|recomandate|benzer|birlikte|passar bra|"
    r"liknande|rekommend|"
    r"andra köpte|relaterede|lignende|andre købte|relaterte|saatat pitää|samankaltais|σχετικά|παρόμοια|"
    r"この商品を|おすすめ|関連|看了又看|推荐|推薦|相关|相關|관련상품|추천|สินค้าที่|liên quan|tương tự|"
    r"lainnya|serupa|"
    r"ذات صلة|مشابهة|قد تعجبك|מוצרים נוספים|מוצרים דומים|pezzi|sarnased|līdzīgi|panašūs|slične|sorodni|"
    r"подобни|свързани",
    re.IGNORECASE,
)
