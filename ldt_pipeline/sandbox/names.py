"""Names as people type them, by language: data only, no logic.

What belongs here: given and family names of many languages and scripts, with an ASCII form for
e-mail addresses. What doesn't: who gets which name (`people`). None of it is a real person.
No name may hold a double quote or a backslash: `people` puts them into JSON as they are.
"""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """The names of one language, and what people who bear them say their nationality is."""

    weight: int
    nationality: str
    country_code: str
    women: tuple[tuple[str, str], ...]
    men: tuple[tuple[str, str], ...]
    family: tuple[tuple[str, str], ...]


def _names(text: str) -> tuple[tuple[str, str], ...]:
    """Split `name=ascii` items at commas; where `=ascii` is left out, the name is ASCII enough."""
    pairs: list[tuple[str, str]] = []
    for item in text.split(","):
        name, _, ascii_form = item.strip().partition("=")
        plain = ascii_form or name
        pairs.append((name, "".join(c for c in plain.lower() if c.isascii() and c.isalnum())))
    return tuple(pairs)


LANGUAGES: tuple[Language, ...] = (
    Language(
        112,
        "British",
        "GBR",
        _names(
            "Olivia, Amelia, Grace, Emily, Sophie, Charlotte, Hannah, Lucy, Mary-Jane, Sarah, "
            "Eleanor, Zoë=zoe, Chloe, Isla, Rosie, Anne-Marie, Jo, Katherine, Poppy, Alice"
        ),
        _names(
            "Oliver, George, Harry, Jack, Thomas, James, William, Daniel, Matthew, Samuel, "
            "Joseph, Edward, Christopher, Al, Benjamin, Jean-Luc, Adam, Luke, Robert, Henry"
        ),
        _names(
            "Smith, Jones, Taylor, Brown, Wilson, Evans, Johnson, Walker, White, Edwards, Hughes, "
            "Green, Hall, Clarke, Cooper, Ward, Turner, Carter, Fotheringham-Smythe, "
            "Parker-Bowen, Hill, Moore, King, Baker, Wright, D'Arcy, St. John, Ng, Null, True"
        ),
    ),
    Language(
        16,
        "Irish",
        "IRL",
        _names("Aoife, Niamh, Síle=sile, Caoimhe, Róisín=roisin, Orla, Gráinne=grainne, Ciara"),
        _names("Seán=sean, Oisín=oisin, Conor, Pádraig=padraig, Cian, Darragh, Fionn, Eoghan"),
        _names(
            "O'Connor, O’Brien=OBrien, Ní Bhriain=nibhriain, Murphy, Ó Súilleabháin=osuilleabhain, "
            "Byrne, McCarthy, Mac an tSaoir, Kelly, O'Neill"
        ),
    ),
    Language(
        14,
        "Welsh",
        "GBR",
        _names("Cerys, Angharad, Siân=sian, Ffion, Llinos, Eirlys, Mari, Nia"),
        _names("Gareth, Rhys, Llŷr=llyr, Dafydd, Iestyn, Emyr, Owain, Ifan"),
        _names("Llewellyn, ap Gwilym, Davies, Prys-Jones, Gruffydd, Morgan, Bowen, Rees"),
    ),
    Language(
        14,
        "Polish",
        "POL",
        _names("Agnieszka, Małgorzata=malgorzata, Zofia, Katarzyna, Łucja=lucja, Jolanta"),
        _names("Paweł=pawel, Łukasz=lukasz, Krzysztof, Wojciech, Stanisław=stanislaw, Jan"),
        _names(
            "Wiśniewska=wisniewska, Kowalski, Wójcik=wojcik, Dąbrowski=dabrowski, Żak=zak, Łęcki=lecki"
        ),
    ),
    Language(
        10,
        "French",
        "FRA",
        _names(
            "Anaïs=anais, Chloé=chloe, Françoise=francoise, Hélène=helene, Maëlle=maelle, Inès=ines"
        ),
        _names(
            "François=francois, Benoît=benoit, Loïc=loic, Étienne=etienne, Jean-Baptiste, Gaël=gael"
        ),
        _names(
            "Lefèvre=lefevre, d'Estaing, Saint-Exupère=saintexupere, Garçon=garcon, Müller=muller, Noël=noel"
        ),
    ),
    Language(
        10,
        "Spanish",
        "ESP",
        _names("María José=mariajose, Begoña=begona, Lucía=lucia, Inés=ines, Nuria, Rocío=rocio"),
        _names("José=jose, Ángel=angel, Íñigo=inigo, Andrés=andres, Joaquín=joaquin, Raúl=raul"),
        _names(
            "García López=garcialopez, de la Cruz, Muñoz=munoz, Ibáñez=ibanez, "
            "Núñez y Castro=nunezycastro, Peña=pena"
        ),
    ),
    Language(
        9,
        "German",
        "DEU",
        _names("Jürgine=juergine, Käthe=kaethe, Sabine, Heike, Gisela, Änne=aenne"),
        _names("Jürgen=juergen, Björn=bjoern, Günther=guenther, Lutz, Matthias, Götz=goetz"),
        _names(
            "Müller=mueller, Groß=gross, von der Heide, Schröder=schroeder, Weiß=weiss, Zu Dohna"
        ),
    ),
    Language(
        6,
        "Portuguese",
        "PRT",
        _names("Conceição=conceicao, Inês=ines, Beatriz, Assunção=assuncao"),
        _names("João=joao, António=antonio, Simão=simao, Luís=luis"),
        _names("Magalhães=magalhaes, Gonçalves=goncalves, dos Santos, Araújo=araujo"),
    ),
    Language(
        6,
        "Turkish",
        "TUR",
        _names("Ayşe=ayse, Gülşen=gulsen, İpek=ipek, Çiğdem=cigdem"),
        _names("İsmail=ismail, Oğuz=oguz, Işık=isik, Çağrı=cagri"),
        _names("Yılmaz=yilmaz, Şahin=sahin, Öztürk=ozturk, Iğdır=igdir"),
    ),
    Language(
        6,
        "Vietnamese",
        "VNM",
        _names("Thị Hương=thihuong, Ngọc=ngoc, Thuỳ=thuy, Ánh=anh"),
        _names("Văn Đức=vanduc, Minh, Tuấn=tuan, Hữu=huu"),
        _names("Nguyễn=nguyen, Trần=tran, Phạm=pham, Đặng=dang"),
    ),
    Language(
        6,
        "Czech",
        "CZE",
        _names("Alžběta=alzbeta, Růžena=ruzena, Žofie=zofie, Anežka=anezka"),
        _names("Jiří=jiri, Ondřej=ondrej, Tomáš=tomas, Luděk=ludek"),
        _names("Dvořák=dvorak, Černý=cerny, Říha=riha, Novotná=novotna"),
    ),
    Language(
        6,
        "Yoruba",
        "NGA",
        _names("Adéọlá=adeola, Fọlákẹ́=folake, Yétúndé=yetunde, Bísí=bisi"),
        _names("Olúṣẹ́gun=olusegun, Adébáyọ̀=adebayo, Túndé=tunde, Kọ́lá=kola"),
        _names("Adéwálé=adewale, Ọládípọ̀=oladipo, Ṣóyínká=soyinka, Okonkwo"),
    ),
    Language(
        5,
        "Icelandic",
        "ISL",
        _names("Þóra=thora, Guðrún=gudrun, Sæunn=saeunn, Björk=bjork"),
        _names("Þór=thor, Guðmundur=gudmundur, Ægir=aegir, Jón=jon"),
        _names("Þorvaldsdóttir=thorvaldsdottir, Sigurðsson=sigurdsson, Jónsson=jonsson"),
    ),
    Language(
        5,
        "Greek",
        "GRC",
        _names("Ελένη=eleni, Μαρία=maria, Αικατερίνη=aikaterini"),
        _names("Γιώργος=giorgos, Νίκος=nikos, Αχιλλέας=achilleas"),
        _names("Παπαδόπουλος=papadopoulos, Γεωργίου=georgiou, Οικονόμου=oikonomou"),
    ),
    Language(
        6,
        "Ukrainian",
        "UKR",
        _names("Оксана=oksana, Наталія=nataliia, Мар'яна=mariana"),
        _names("Тарас=taras, Володимир=volodymyr, Юрій=yurii"),
        _names("Шевченко=shevchenko, Коваленко=kovalenko, Мельник-Їжакевич=melnyk"),
    ),
    Language(
        5,
        "Arabic",
        "EGY",
        _names("فاطمة=fatima, ليلى=layla, مريم=maryam"),
        _names("محمد=mohamed, أحمد=ahmed, عبد الله=abdullah"),
        _names("الحسن=alhasan, بن سالم=binsalem, منصور=mansour"),
    ),
    Language(
        3,
        "Israeli",
        "ISR",
        _names("נועה=noa, תמר=tamar"),
        _names("יוסף=yosef, איתן=eitan"),
        _names("כהן=cohen, בן־דוד=bendavid"),
    ),
    Language(
        5,
        "Indian",
        "IND",
        _names("प्रिया=priya, अनीता=anita, Lakshmi"),
        _names("राजेश=rajesh, विक्रम=vikram, Arjun"),
        _names("शर्मा=sharma, Patel, Venkataraghavan"),
    ),
    Language(
        5,
        "Chinese",
        "CHN",
        _names("秀英=xiuying, 丽=li, 欣怡=xinyi"),
        _names("伟=wei, 志强=zhiqiang, 浩然=haoran"),
        _names("王=wang, 李=li, 欧阳=ouyang"),
    ),
    Language(
        4,
        "Japanese",
        "JPN",
        _names("さくら=sakura, 美咲=misaki"),
        _names("健太=kenta, 大輔=daisuke"),
        _names("佐々木=sasaki, 髙橋=takahashi"),
    ),
    Language(
        3,
        "Korean",
        "KOR",
        _names("서연=seoyeon, 지우=jiwoo"),
        _names("민준=minjun, 현우=hyunwoo"),
        _names("김=kim, 남궁=namgung"),
    ),
)
