"""Vocabulary: the words of shops that tell what a piece of a page is, in the languages of shops.

Words of whole labels are kept folded (see `wording.fold`); patterns of marks and buttons are regular
expressions without nested repetition. What is said of prices is in `price_words`.
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
    "ブランド|ブランド名|メーカー|メーカー名|品牌|品牌名称|品牌名稱|브랜드|제조사|제조업체|แบรนด์|ยี่ห้อ",
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
    r"(?<!\bhas-)(?<!\bwith-)(?<!\bno-)(?:relat(?:ed|ionn)|upsell|up-sell|cross-?sell|(?<![\w-])x-sell|crosssell|similar|also[-_]|"
    r"also-?bought|also-?purch|also_purch|recommend|reco-|"
    r"recent|viewed|suggest|you-?may|you-?might|mini-?cart|minibasket|cart-?(?:drawer|dropdown|summary|"
    r"widget|total)|"
    r"site-?header|navbar|main-?nav|mega-?menu|\bmenu|sub-?menu|cookie|consent|newsletter|(?<!price[-_])\breview|"
    r"testimonial|comment|"
    r"\bpopup|modal-cart|featured-prod|bestsell|best-sell|topseller|new-?arriv|whatsnew|also-?like|"
    r"complete-the|"
    r"products-?grid|product-?grid|product-?list|productlist|products-list|prdlist|xans-product-rel|"
    r"associated|accessor|zubehoer|bundle|frequently|shelf|sponsor|\bfooter|site-?footer|sidebar|"
    r"side-?box|columnleft|"
    r"vergelijk|compare-?prod|wishlist|lookbook|instagram|announcement|promo-?bar|top-?bar|"
    r"shop-?the-?look|set-?items|"
    r"product-?miniature|product-?(?:card|tile)(?![_-]*(?:price|name|title|brand))|product-?thumb\b|other-?products|"
    r"sims-|more-?from|hotspot)"
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
    r"この商品を|おすすめ|関連(?!カテゴリ)|看了又看|推荐|推薦|"
    r"相关|相關|관련상품|추천|สินค้าที่|liên quan|tương tự|"
    r"lainnya|serupa|"
    r"ذات صلة|مشابهة|قد تعجبك|מוצרים נוספים|מוצרים דומים|pezzi|sarnased|līdzīgi|panašūs|slične|sorodni|"
    r"подобни|свързани",
    re.IGNORECASE,
)
