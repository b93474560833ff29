"""Invented names of the sample painters, in several languages."""

_PEOPLE: tuple[tuple[str, str], ...] = (
    ("Odile Ysabeau Gaspard Célestine Régis", "Vaucrelle Montbrisac Dorzéane Lachambrie Pérugnan"),
    ("Solvej Håkon Ragnhild Øyvind Maren", "Fjellsmyr Åkervind Strandløv Bjørkhamn Skoghære"),
    ("Zofia Bronisław Jagna Wacław Halszka", "Wierzbodar Śniegorska Dąbromir Łąkosz Brzezian"),
    ("Chiyoko Haruto Tamaki Jinzo Misuzu", "Kumonabe Tsurusawara Mizukage Hoshigama Akatsuno"),
    ("Amara Kwabena Ngozi Tendai Folasade", "Okwumbele Adjetunde Mwanzire Balogwena Nkosidara"),
    ("Paloma Baltasar Inés Leocadio Ximena", "Valdemora Cañizarra Ribalópez Torremonte Iñarbide"),
    ("Leyla Emre Gülşen Orhan Şirin", "Karadenli Yıldızoy Gökçelik Taşpınaroğlu Denizhan"),
    ("Minna Ottokar Friedl Anselm Liesl", "Rabenthaler Grünwaldt Haselböckh Weißdornig Lindquell"),
)


def known_names() -> list[str]:
    """Return all names, each in another language than the one before."""
    people = [(given.split(), family.split()) for given, family in _PEOPLE]
    return [
        f"{given[i]} {family[(i + turn) % 5]}"
        for turn in range(5)
        for i in range(5)
        for given, family in people
    ]
