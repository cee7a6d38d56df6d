//! Captions to tokens as the published metrics do it: the `PTBTokenizer` of pycocoevalcap 1.2, which runs Stanford's
//! Penn Treebank tokeniser (CoreNLP 3.4.1, `-preserveLines -lowerCase`) and drops a list of punctuation tokens.
//!
//! The rules below were written from that tool's behaviour and are compared with it on kept pairs
//! (`tests/fixtures/metrics`). Its grammar is a set of patterns of which the one that matches most text wins, text
//! looked ahead at included, and the earlier one where two match equally much; here it is the same.
//!
//! Two of its habits look like mistakes and are kept, for results are comparable only with them: brackets stay as
//! `-lrb-`, `-rrb-`, ... (the list of punctuation has them in capitals, the tokens are in lower case by then), and
//! other symbols such as `&` or `!!` count as words.

use std::sync::LazyLock;

use regex::Regex;

/// Tokens that are dropped.
const PUNCTUATION: [&str; 17] = [
    "''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";",
];

/// The tokens of a caption in lower case without punctuation, joined by single spaces; empty if there are none.
///
/// A mixed fraction such as `1 1/2` is one token whose parts are joined by U+00A0, as in the original.
pub fn tokenise(caption: &str) -> String {
    let mut line = String::with_capacity(caption.len() + 8);
    // A soft hyphen is a hint to the printer and no part of the word.
    for token in split(&caption.replace('\u{ad}', "").replace("&apos;", "'")) {
        let token = token.to_lowercase();
        if !token.is_empty() && !PUNCTUATION.contains(&token.as_str()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&token);
        }
    }
    line
}

/// The tokens of [`tokenise`] one by one, as BLEU and CIDEr count them (a mixed fraction is two).
pub fn words(caption: &str) -> Vec<String> {
    tokenise(caption).split_whitespace().map(str::to_owned).collect()
}

/// Patterns that take what they match, all anchored. `{L}` is a letter, `{N}` a digit, `{A}` an apostrophe, `{E}` the
/// end of a word, `{HYPHENED}` a word with hyphens.
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // Words, with a stop, `!` or `?` between letters as part of the word: "table.man".
        r"{L}[{L}{N}]*(?:[.!?]{L}[{L}{N}]*)*",
        r"[{L}{N}]+",
        // Words with an apostrophe inside: "o'clock", "N'Djamena", "qu'il", "graffiti'ed".
        r"[dDoOlL]{A}[{L}{N}]+",
        r"[A-HJ-XZn]{A}[a-zA-Z]{2,}",
        r"{L}+[aeiouyAEIOUY]{A}[aeiouA-Z]{L}*",
        r"(?i:c'mon|e'er|nat'l|cap'n|ev'ry|s'mores){E}",
        // Words that begin or end with one: "'em", "'n'", "ol'", "'90s".
        r"{A}[nN]{A}|(?i:{A}em|{A}n|{A}till?|{A}cause){E}|(?i:dunkin|somethin|ol){A}|[lLdDjJ]{A}",
        r"{A}[2-9]0[sS]{E}",
        // Words with hyphens and with slashes: "t-shirt", "hors-d'oeuvres", "3.5-inch", "and/or".
        r"{HYPHENED}",
        r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:\\?/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2}",
        // Initials with a last stop: "U.S.", "p.m.", "Ph.D.".
        r"[A-Za-z](?:\.[A-Za-z])+\.|(?i:Ed|Ph)\.D\.",
        // Names joined by a sign, in capitals only, and by underscores: "A&W", "a_b".
        r"[A-Z]+(?:(?:[+&]|&(?i:amp);)[A-Z]+)+",
        r"[{L}{N}]+(?:_[{L}{N}]+)+",
        // Numbers: "-5", "10,000.50", "12:30", "1 1/2", telephone numbers.
        r"[-+]?(?:{N}*(?:[.:,]{N}+)+|{N}+)",
        r"[0-9]{1,4}[- ][0-9]{1,4}\\?[/\x{2044}][0-9]{1,4}|[0-9]+\x{2044}[0-9]+",
        r"[0-9]{3}[- ][0-9]{3}[- ][0-9]{4}|\([0-9]{3}\)[- ]?[0-9]{3}[- ][0-9]{4}",
        // Addresses and names of the web.
        r"https?://[^\s.<>|()]+\.[^\s<>|()]*[^\s<>|(),.;:!?-]",
        r"www\.(?:[^\s.<>|()]+\.)+[a-zA-Z]{2,4}(?:/[^\s<>|()]+)?",
        r"[{L}{N}][{L}{N}.!#$%&*+=?^_~-]*@(?:[{L}{N}]+\.)*[{L}{N}]+",
        r"@[A-Za-z_][A-Za-z0-9_]*|#{L}+",
        // Markup and its entities.
        r"</?[A-Za-z!?][^<>]*>",
        r"&(?i:amp|lt|gt|quot|apos|nbsp|#[0-9]+);",
        // Runs of a sign.
        r"[!?]+|\.{3,}|\.(?: \.){2,}|-{2,}|\*+|_+|''|``",
        r"-(?i:LRB|RRB|LSB|RSB|LCB|RCB)-|[-^]_[-^]|[cC]\+\+|[cCfF]#|(?:US|NZ|HK|A|C)\$",
    ]
    .map(anchored)
    .into()
});

/// Patterns of which only the first group is the token, the rest is looked ahead at. They come before [`PATTERNS`].
static LOOKING_AHEAD: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // "is" of "isn't", "dog" of "dog's".
        r"({L}[{L}{N}]*?)[nN][{A}`][tT]",
        r"({L}[{L}{N}]*){A}(?:[sSdDmM]|ll|LL|re|RE|ve|VE){E}",
        // "c-d" of "c-d's", which is not like "hors-d'oeuvres".
        r"({HYPHENED}){A}[sSdDmM]{E}",
        // The second half of them; "n'ts" is a word of its own.
        r"({A}(?:[sSdDmM]|ll|LL|re|RE|ve|VE)){E}",
        r"([nN][{A}`][tT])",
        // "y'" of "y'all", "'t" of "'tis"; years such as "'99".
        r"([yY]{A}){L}",
        r"('[tT])(?i:is|was)(?:{E}|n')",
        r"({A}[0-9]{2})(?:[^{L}{N}'’-]|$)",
        // Any word keeps its stop before these signs: "truck.,".
        r"((?:{HYPHENED}|[{L}{N}]+)\.)[,;:]",
        // A smile, not the start of a word: ":)", ";-D".
        r"([<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]])(?:[^a-zA-Z]|$)",
    ]
    .map(anchored)
    .into()
});

/// Words before a stop, which may belong to them.
static BEFORE_STOP: LazyLock<Regex> = LazyLock::new(|| anchored(r"([A-Za-z]+)\."));

fn anchored(pattern: &str) -> Regex {
    let pattern = pattern
        .replace("{HYPHENED}", r"[{L}{N}][{L}{N}.,]*(?:[-\x{2010}\x{2011}](?:[dDoOlL]{A})?[{L}{N}]+)+")
        .replace("[{A}`]", "['’`]")
        .replace("{L}", r"[\p{Letter}\p{Mark}]")
        .replace("{N}", r"\p{Nd}")
        .replace("{A}", "['’]")
        .replace("{E}", r"(?:\b{end-half}|$)");
    Regex::new(&format!("^(?:{pattern})")).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

/// Abbreviations that keep their stop, in any case of letters.
const ABBREVIATIONS: &[&str] = &[
    "adj", "adm", "adv", "al", "ala", "alex", "apr", "ariz", "assn", "assoc", "asst", "atty", "attys", "aug",
    "ave", "bancorp", "bhd", "bldg", "blvd", "brig", "bros", "calif", "capt", "cf", "cie", "cmdr", "co",
    "col", "colo", "comdr", "conn", "corp", "cos", "cpl", "ct", "dak", "dec", "dept", "det", "dr", "drs",
    "elec", "ens", "esq", "est", "etc", "ext", "feb", "fla", "fri", "ft", "ga", "gen", "gov", "govs", "hon",
    "inc", "ind", "insp", "intl", "invt", "jan", "jos", "jr", "jul", "jun", "kan", "kans", "ky", "lieut",
    "lt", "ltd", "maj", "mar", "md", "messrs", "mfg", "mich", "minn", "mlle", "mme", "mo", "mon", "mont",
    "mr", "mrs", "ms", "msgr", "mt", "mtg", "natl", "neb", "nev", "nov", "oct", "okla", "penn", "pfc", "ph",
    "plc", "pres", "prof", "profs", "pte", "ptes", "pty", "ptys", "pvt", "rd", "rep", "reps", "rev", "sen",
    "sens", "sep", "sept", "seq", "sfc", "sgt", "spc", "sq", "sr", "st", "ste", "supt", "supts", "sys",
    "tel", "tenn", "thu", "thurs", "treas", "tue", "tues", "univ", "va", "vs", "wed", "wis", "wisc", "wm",
    "wyo",
];

/// Those that keep it only if they begin with a capital, for they are words too.
const CAPITAL_ABBREVIATIONS: &[&str] =
    &["ark", "del", "ill", "la", "mass", "miss", "ore", "pa", "tex", "wash"];

/// Those that keep it only before a number.
const NUMBER_ABBREVIATIONS: &[&str] = &["art", "ca", "fig", "figs", "no", "nos", "op", "pp", "prop"];

/// Words that, with a capital, show that the stop after a single letter ended a sentence.
const SENTENCE_STARTS: &[&str] = &[
    "a",
    "about",
    "according",
    "after",
    "an",
    "as",
    "at",
    "but",
    "earlier",
    "he",
    "her",
    "here",
    "however",
    "if",
    "in",
    "it",
    "last",
    "many",
    "more",
    "now",
    "once",
    "one",
    "other",
    "our",
    "she",
    "since",
    "so",
    "some",
    "such",
    "that",
    "the",
    "their",
    "then",
    "there",
    "these",
    "they",
    "this",
    "we",
    "what",
    "when",
    "while",
    "yet",
    "you",
];

/// Whether the stop behind `word` is part of it; `rest` is what follows the stop.
fn keeps_stop(word: &str, rest: &str) -> bool {
    let capital = word.starts_with(|letter: char| letter.is_ascii_uppercase());
    let lower = word.to_ascii_lowercase();
    let lower = lower.as_str();
    if lower.len() == 1 {
        let next = rest.trim_start();
        let next = &next[..next.find(char::is_whitespace).unwrap_or(next.len())];
        let starts = next.starts_with(|letter: char| letter.is_ascii_uppercase())
            && SENTENCE_STARTS.contains(&next.to_ascii_lowercase().as_str());
        return !(starts && rest.starts_with(char::is_whitespace));
    }
    ABBREVIATIONS.contains(&lower)
        || capital && CAPITAL_ABBREVIATIONS.contains(&lower)
        || NUMBER_ABBREVIATIONS.contains(&lower)
            && rest.trim_start_matches(' ').starts_with(|digit: char| digit.is_ascii_digit())
}

/// The bytes of the token at the start of `text`, which is not empty and does not start with a blank.
fn next_token(text: &str) -> usize {
    // Nearly every token is a plain word before a blank: no other pattern could match more.
    let plain = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    if plain > 0 && matches!(text.as_bytes().get(plain), None | Some(b' ')) {
        return plain;
    }
    let (mut len, mut weight) = (0, 0);
    let mut offer = |token: usize, matched: usize| {
        if matched > weight {
            (len, weight) = (token, matched);
        }
    };
    for pattern in LOOKING_AHEAD.iter() {
        if let Some(found) = pattern.captures(text)
            && let (Some(all), Some(token)) = (found.get(0), found.get(1))
            && token.end() > 0
        {
            offer(token.end(), all.end());
        }
    }
    if let Some(found) = BEFORE_STOP.captures(text)
        && let (Some(all), Some(word)) = (found.get(0), found.get(1))
        && keeps_stop(word.as_str(), &text[all.end()..])
    {
        offer(all.end(), all.end());
    }
    for pattern in PATTERNS.iter() {
        if let Some(found) = pattern.find(text) {
            offer(found.end(), found.end());
        }
    }
    offer(text.chars().next().map_or(1, char::len_utf8), 1);
    len
}

/// The tokens of a text as the original emits them, but for the case of letters.
fn split(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(is_blank);
        if rest.is_empty() {
            return tokens;
        }
        let (token, after) = rest.split_at(next_token(rest));
        rest = after;
        emit(token, &mut tokens);
    }
}

/// What separates tokens: blanks, signs that cannot be seen, and those that the original knows nothing of (emoji).
fn is_blank(sign: char) -> bool {
    sign.is_whitespace()
        || sign.is_control()
        || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2012}' | '\u{feff}')
        || sign > '\u{ffff}' && !sign.is_alphanumeric()
}

/// Adds the token in its normal form, or its parts.
fn emit(token: &str, tokens: &mut Vec<String>) {
    // Words that Treebank splits without an apostrophe: "cannot" is "can not".
    let halves = match token.to_ascii_lowercase().as_str() {
        "cannot" | "gonna" | "gotta" | "lemme" | "gimme" | "wanna" => Some(token.split_at(3)),
        _ => None,
    };
    if let Some((first, second)) = halves {
        tokens.extend([first.to_owned(), second.to_owned()]);
        return;
    }
    tokens.push(match token {
        "\"" | "“" | "”" | "«" | "»" => "''".to_owned(),
        "’" | "‘" | "‹" | "›" => "'".to_owned(),
        "–" | "—" | "―" => "--".to_owned(),
        "…" => "...".to_owned(),
        "€" => "$".to_owned(),
        "£" => "#".to_owned(),
        "¢" => "cents".to_owned(),
        "½" => "1/2".to_owned(),
        "¼" => "1/4".to_owned(),
        "¾" => "3/4".to_owned(),
        "⅓" => "1/3".to_owned(),
        "⅔" => "2/3".to_owned(),
        _ if token.starts_with("--") => "--".to_owned(),
        _ if token.starts_with("..") || token.starts_with(". .") => "...".to_owned(),
        _ => normal_form(token),
    });
}

/// Brackets by name, entities by the sign they stand for, blanks inside a token by U+00A0.
fn normal_form(token: &str) -> String {
    if token.starts_with('&') && token.ends_with(';') {
        match token.to_ascii_lowercase().as_str() {
            "&amp;" => return "&".to_owned(),
            "&lt;" => return "<".to_owned(),
            "&gt;" => return ">".to_owned(),
            "&quot;" => return "''".to_owned(),
            "&nbsp;" => return String::new(),
            _ => {}
        }
    }
    // A smile keeps its square brackets, a word that is no half of a contraction ("o’clock") its curved apostrophe.
    let smile = token.len() > 1 && token.starts_with([':', ';', '=', '<', '>']);
    let contraction = CONTRACTIONS.contains(&&*token.to_lowercase());
    let mut normal = String::with_capacity(token.len());
    for sign in token.replace("&amp;", "&").chars() {
        match sign {
            '(' => normal.push_str("-lrb-"),
            ')' => normal.push_str("-rrb-"),
            '[' if !smile => normal.push_str("-lsb-"),
            ']' if !smile => normal.push_str("-rsb-"),
            '{' if !smile => normal.push_str("-lcb-"),
            '}' if !smile => normal.push_str("-rcb-"),
            ' ' => normal.push('\u{a0}'),
            '’' if contraction => normal.push('\''),
            other => normal.push(other),
        }
    }
    normal
}

/// The second halves of contractions, with the apostrophe that printers prefer.
const CONTRACTIONS: &[&str] = &["’s", "’d", "’m", "’ll", "’re", "’ve", "n’t"];
