//! When a caption counts as right: fixed before any confidence was fitted to it.
//!
//! A caption is right if it names a thing, and each thing that it names is said by at least one of the people who described
//! the picture: the same word, its plural or singular, or one of its group in `GROUPS`.

use std::collections::HashSet;

use soli::details::NUMBERS;

use crate::concepts::is_content;
use crate::data::tokens;
use crate::metrics::objects::{is_thing, same};

/// Words that can stand for each other. The first word of a line stands for all of it and the others for it, but not the
/// others for each other: a man is a person, a person may be a man, a man is no woman.
const GROUPS: &str = "\
person man men woman women lady guy boy girl child children kid kids baby toddler people player skier surfer snowboarder skateboarder rider biker climber worker couple group crowd someone figure individual swimmer runner cyclist female male adult
people men women children kids boys girls players skiers surfers riders person group crowd couple family friends team adults
man guy men gentleman boy player skier surfer snowboarder skateboarder rider biker climber male
woman lady women girl female
child kid boy girl toddler baby children kids
boy child kid guy man toddler
girl child kid woman lady toddler
player batter pitcher catcher man boy
dog puppy dogs pup animal
cat kitten cats kitty animal
animal dog cat horse cow sheep bird bear elephant zebra giraffe
bike bicycle motorcycle motorbike bikes
motorcycle motorbike bike moped scooter
plane airplane jet aircraft airliner
street road highway lane sidewalk
road street path track
couch sofa chair loveseat
tv television screen monitor
phone cellphone telephone smartphone
computer laptop pc desktop
bathroom restroom toilet washroom
kitchen stove oven refrigerator
field grass lawn pasture meadow park yard
grass field lawn yard
beach sand shore ocean sea coast
water ocean sea lake river pool wave
ocean sea water wave
wave ocean water surf
mountain hill slope snow rock
hill slope mountain
snow slope mountain
rock cliff boulder mountain
food meal dish plate
plate dish bowl tray
meal food dish
table desk counter
train locomotive subway tram trolley
bus trolley coach
truck lorry van pickup
car vehicle automobile taxi van
boat ship canoe kayak sailboat
building tower house church skyscraper
house home building
city town street downtown
ball baseball football basketball soccer frisbee
shirt top jersey sweater jacket
jacket coat shirt
hat cap helmet
bird seagull duck pigeon parrot owl birds
cow cattle bull cows
vegetable broccoli carrots vegetables salad
fruit apple banana orange fruits
cake dessert pastry pie
sign signs post
tree trees forest woods branch
forest woods trees
court tennis
racket racquet tennis
skateboard skateboarder skate board skateboarding
surfboard surf board surfer
snowboard board snowboarder
ski skis skier skiing
game baseball soccer tennis match
photo picture photograph image
room bedroom livingroom living";

/// Words that place things and are none.
const PLACES: &str = "front top side back middle background foreground air area edge end part inside outside corner center \
    way day time night distance ground view group couple bunch pair set row piece close";

/// Whether each thing that `caption` names is said by at least one of `references`, and it names one.
pub fn is_right(caption: &str, references: &[String]) -> bool {
    let said: HashSet<String> = references.iter().flat_map(|reference| tokens::words(reference)).collect();
    let mut things = tokens::words(caption);
    things.retain(|word| is_thing(word) && !PLACES.split_whitespace().any(|place| place == word));
    !things.is_empty() && things.iter().all(|thing| is_said(thing, &said))
}

fn is_said(thing: &str, said: &HashSet<String>) -> bool {
    let known = |word: &str| said.contains(word) || said.iter().any(|other| same(word, other));
    known(thing)
        || GROUPS.lines().any(|line| {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            if same(first, thing) { words.any(known) } else { words.any(|w| same(w, thing)) && known(first) }
        })
}

/// How many of the words of `caption` that say something (things, actions, colours, numbers) nobody said, and how many there
/// are. Forms of a verb are the same word.
pub fn wrong_words(caption: &str, references: &[String]) -> (usize, usize) {
    let said: HashSet<String> = references.iter().flat_map(|reference| tokens::words(reference)).collect();
    let stems: HashSet<String> = said.iter().map(|word| stem(word)).collect();
    let number = |word: &str| NUMBERS.split_whitespace().any(|number| number == word);
    let place = |word: &str| PLACES.split_whitespace().any(|place| place == word);
    let mut words = tokens::words(caption);
    words.retain(|word| (is_content(word) || number(word)) && !place(word));
    let wrong = words.iter().filter(|word| !is_said(word, &said) && !stems.contains(&stem(word))).count();
    (wrong, words.len())
}

/// What the forms of an English verb have in common, roughly: "runs", "running" and "run" are "run".
fn stem(word: &str) -> String {
    let stem = ["ing", "ed", "es", "s"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
    if stem.len() < 3 {
        return word.to_owned();
    }
    let stem = stem.strip_suffix('e').unwrap_or(stem);
    match stem.as_bytes() {
        [.., a, b] if a == b && !b"aeiouls".contains(b) => stem[..stem.len() - 1].to_owned(),
        _ => stem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thing_must_be_said_by_somebody() {
        let people = ["A man rides a bicycle past a parked car.", "someone on a bike in the street"];
        let people = people.map(str::to_owned);
        for right in
            ["a man riding a bike down a street", "a person on a bicycle", "two people in front of cars"]
        {
            assert!(is_right(right, &people), "{right}");
        }
        for wrong in ["a woman riding a bike", "a man with a dog", "a man riding a horse", "red and blue", ""]
        {
            assert!(!is_right(wrong, &people), "{wrong}");
        }
    }

    #[test]
    fn wrong_words_are_those_that_nobody_said() {
        let people =
            ["a brown dog runs on grass", "two dogs running", "the dogs ride a boat"].map(str::to_owned);
        assert_eq!(wrong_words("two brown dogs running in the grass", &people), (0, 5));
        assert_eq!(wrong_words("three black dogs are riding in the air", &people), (2, 4));
        assert_eq!(wrong_words("some dogs", &people), (0, 1));
        assert_eq!(wrong_words("", &people), (0, 0));
        for (a, b) in [("running", "runs"), ("riding", "rides"), ("sits", "sitting"), ("rolling", "rolls")] {
            assert_eq!(stem(a), stem(b));
        }
    }

    #[test]
    fn a_group_stands_for_its_members_but_not_they_for_each_other() {
        let said = |word: &str| [format!("a {word}")];
        assert!(is_right("a person", &said("woman")) && is_right("a woman", &said("person")));
        assert!(!is_right("a woman", &said("man")));
        assert!(!is_right("a dog", &said("cat")));
    }
}
