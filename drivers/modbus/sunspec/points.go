package sunspec

// points are those of the models, each as name@offset type, the offset counted
// from the register with the model's number, and sf@offset of the scale factor
// where it has one. Models of one kind that differ only in what is mandatory
// share a line.
var points = [...]struct {
	models []int
	repeat int // registers of each further module, 0 where there are none
	text   string
}{
	{[]int{1}, 0, `
	Mn@2 string*16; Md@18 string*16; Opt@34 string*8; Vr@42 string*8; SN@50 string*16; DA@66 uint16`},
	{[]int{101, 102, 103}, 0, `
	A@2 uint16 sf@6; AphA@3 uint16 sf@6; AphB@4 uint16 sf@6; AphC@5 uint16 sf@6; PPVphAB@7 uint16 sf@13;
	PPVphBC@8 uint16 sf@13; PPVphCA@9 uint16 sf@13; PhVphA@10 uint16 sf@13; PhVphB@11 uint16 sf@13;
	PhVphC@12 uint16 sf@13; W@14 int16 sf@15; Hz@16 uint16 sf@17; VA@18 int16 sf@19; VAr@20 int16 sf@21;
	PF@22 int16 sf@23; WH@24 acc32 sf@26; DCA@27 uint16 sf@28; DCV@29 uint16 sf@30; DCW@31 int16 sf@32;
	TmpCab@33 int16 sf@37; TmpSnk@34 int16 sf@37; TmpTrns@35 int16 sf@37; TmpOt@36 int16 sf@37; St@38 enum16;
	StVnd@39 enum16; Evt1@40 bitfield32; Evt2@42 bitfield32; EvtVnd1@44 bitfield32; EvtVnd2@46 bitfield32;
	EvtVnd3@48 bitfield32; EvtVnd4@50 bitfield32`},
	{[]int{111, 112, 113}, 0, `
	A@2 float32; AphA@4 float32; AphB@6 float32; AphC@8 float32; PPVphAB@10 float32; PPVphBC@12 float32;
	PPVphCA@14 float32; PhVphA@16 float32; PhVphB@18 float32; PhVphC@20 float32; W@22 float32; Hz@24 float32;
	VA@26 float32; VAr@28 float32; PF@30 float32; WH@32 float32; DCA@34 float32; DCV@36 float32; DCW@38 float32;
	TmpCab@40 float32; TmpSnk@42 float32; TmpTrns@44 float32; TmpOt@46 float32; St@48 enum16; StVnd@49 enum16;
	Evt1@50 bitfield32; Evt2@52 bitfield32; EvtVnd1@54 bitfield32; EvtVnd2@56 bitfield32; EvtVnd3@58 bitfield32;
	EvtVnd4@60 bitfield32`},
	{[]int{160}, 0, `
	Evt@6 bitfield32; N@8 count; TmsPer@9 uint16`},
	{[]int{160}, 20, `
	ID@10 uint16; IDStr@11 string*8; DCA@19 uint16 sf@2; DCV@20 uint16 sf@3; DCW@21 uint16 sf@4;
	DCWH@22 acc32 sf@5; Tms@24 uint32; Tmp@26 int16; DCSt@27 enum16; DCEvt@28 bitfield32`},
	{[]int{201, 202, 203, 204}, 0, `
	A@2 int16 sf@6; AphA@3 int16 sf@6; AphB@4 int16 sf@6; AphC@5 int16 sf@6; PhV@7 int16 sf@15;
	PhVphA@8 int16 sf@15; PhVphB@9 int16 sf@15; PhVphC@10 int16 sf@15; PPV@11 int16 sf@15; PPVphAB@12 int16 sf@15;
	PPVphBC@13 int16 sf@15; PPVphCA@14 int16 sf@15; Hz@16 int16 sf@17; W@18 int16 sf@22; WphA@19 int16 sf@22;
	WphB@20 int16 sf@22; WphC@21 int16 sf@22; VA@23 int16 sf@27; VAphA@24 int16 sf@27; VAphB@25 int16 sf@27;
	VAphC@26 int16 sf@27; VAR@28 int16 sf@32; VARphA@29 int16 sf@32; VARphB@30 int16 sf@32; VARphC@31 int16 sf@32;
	PF@33 int16 sf@37; PFphA@34 int16 sf@37; PFphB@35 int16 sf@37; PFphC@36 int16 sf@37; TotWhExp@38 acc32 sf@54;
	TotWhExpPhA@40 acc32 sf@54; TotWhExpPhB@42 acc32 sf@54; TotWhExpPhC@44 acc32 sf@54; TotWhImp@46 acc32 sf@54;
	TotWhImpPhA@48 acc32 sf@54; TotWhImpPhB@50 acc32 sf@54; TotWhImpPhC@52 acc32 sf@54; TotVAhExp@55 acc32 sf@71;
	TotVAhExpPhA@57 acc32 sf@71; TotVAhExpPhB@59 acc32 sf@71; TotVAhExpPhC@61 acc32 sf@71;
	TotVAhImp@63 acc32 sf@71; TotVAhImpPhA@65 acc32 sf@71; TotVAhImpPhB@67 acc32 sf@71;
	TotVAhImpPhC@69 acc32 sf@71; TotVArhImpQ1@72 acc32 sf@104; TotVArhImpQ1PhA@74 acc32 sf@104;
	TotVArhImpQ1PhB@76 acc32 sf@104; TotVArhImpQ1PhC@78 acc32 sf@104; TotVArhImpQ2@80 acc32 sf@104;
	TotVArhImpQ2PhA@82 acc32 sf@104; TotVArhImpQ2PhB@84 acc32 sf@104; TotVArhImpQ2PhC@86 acc32 sf@104;
	TotVArhExpQ3@88 acc32 sf@104; TotVArhExpQ3PhA@90 acc32 sf@104; TotVArhExpQ3PhB@92 acc32 sf@104;
	TotVArhExpQ3PhC@94 acc32 sf@104; TotVArhExpQ4@96 acc32 sf@104; TotVArhExpQ4PhA@98 acc32 sf@104;
	TotVArhExpQ4PhB@100 acc32 sf@104; TotVArhExpQ4PhC@102 acc32 sf@104; Evt@105 bitfield32`},
	{[]int{211, 212, 213, 214}, 0, `
	A@2 float32; AphA@4 float32; AphB@6 float32; AphC@8 float32; PhV@10 float32; PhVphA@12 float32;
	PhVphB@14 float32; PhVphC@16 float32; PPV@18 float32; PPVphAB@20 float32; PPVphBC@22 float32;
	PPVphCA@24 float32; Hz@26 float32; W@28 float32; WphA@30 float32; WphB@32 float32; WphC@34 float32;
	VA@36 float32; VAphA@38 float32; VAphB@40 float32; VAphC@42 float32; VAR@44 float32; VARphA@46 float32;
	VARphB@48 float32; VARphC@50 float32; PF@52 float32; PFphA@54 float32; PFphB@56 float32; PFphC@58 float32;
	TotWhExp@60 float32; TotWhExpPhA@62 float32; TotWhExpPhB@64 float32; TotWhExpPhC@66 float32;
	TotWhImp@68 float32; TotWhImpPhA@70 float32; TotWhImpPhB@72 float32; TotWhImpPhC@74 float32;
	TotVAhExp@76 float32; TotVAhExpPhA@78 float32; TotVAhExpPhB@80 float32; TotVAhExpPhC@82 float32;
	TotVAhImp@84 float32; TotVAhImpPhA@86 float32; TotVAhImpPhB@88 float32; TotVAhImpPhC@90 float32;
	TotVArhImpQ1@92 float32; TotVArhImpQ1phA@94 float32; TotVArhImpQ1phB@96 float32; TotVArhImpQ1phC@98 float32;
	TotVArhImpQ2@100 float32; TotVArhImpQ2phA@102 float32; TotVArhImpQ2phB@104 float32;
	TotVArhImpQ2phC@106 float32; TotVArhExpQ3@108 float32; TotVArhExpQ3phA@110 float32;
	TotVArhExpQ3phB@112 float32; TotVArhExpQ3phC@114 float32; TotVArhExpQ4@116 float32;
	TotVArhExpQ4phA@118 float32; TotVArhExpQ4phB@120 float32; TotVArhExpQ4phC@122 float32; Evt@124 bitfield32`},
}
