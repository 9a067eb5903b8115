#include "data/synth/words.h"

#include <array>

namespace quern::data::synth {

namespace {
using std::string_view;

constexpr Name kNames[] = {
    {"Anna", true}, {"Tom", false},   {"Mia", true},  {"Ben", false},   {"Lily", true},  {"Sam", false},
    {"Emma", true}, {"Max", false},   {"Sara", true}, {"Leo", false},   {"Nora", true},  {"Jack", false},
    {"Ella", true}, {"Tim", false},   {"Lucy", true}, {"Noah", false},  {"Rosa", true},  {"Adam", false},
    {"Amy", true},  {"Paul", false},  {"Kate", true}, {"Finn", false},  {"Zoe", true},   {"Luke", false},
    {"Ruth", true}, {"Omar", false},  {"Ivy", true},  {"Hugo", false},  {"Clara", true}, {"David", false},
    {"Jane", true}, {"Peter", false}, {"Maya", true}, {"Oscar", false}, {"Tina", true},  {"Mark", false},
};
constexpr string_view kPetNames[] = {"Spot",    "Fluffy", "Rex",   "Coco",  "Bella",  "Lucky",
                                     "Daisy",   "Rocky",  "Molly", "Teddy", "Pepper", "Snowy",
                                     "Biscuit", "Ginger", "Patch", "Sunny", "Honey",  "Shadow"};
constexpr string_view kPets[] = {"dog",   "cat",  "rabbit", "bird",   "duck", "pony",
                                 "mouse", "frog", "goat",   "turtle", "hen",  "pig"};
constexpr string_view kObjects[] = {"ball",   "kite",    "hat",    "book",  "box",   "boat",    "drum",
                                    "cup",    "car",     "doll",   "bike",  "bag",   "blanket", "umbrella",
                                    "scarf",  "balloon", "bucket", "train", "robot", "lamp",    "coat",
                                    "pencil", "puzzle",  "basket", "flute", "plane", "teapot",  "ribbon"};
constexpr string_view kFinds[] = {"key",  "coin", "feather", "shell", "stone",   "button", "ring", "leaf",
                                  "bell", "nut",  "flower",  "map",   "whistle", "spoon",  "egg",  "letter"};
constexpr string_view kColours[] = {"red",  "blue",  "green", "yellow", "orange", "purple",
                                    "pink", "brown", "black", "white",  "grey"};
constexpr string_view kPlaces[] = {
    "park", "garden", "forest",  "beach",      "school", "farm",    "market", "river",  "hill",    "library",
    "zoo",  "lake",   "village", "playground", "meadow", "harbour", "castle", "museum", "station", "bakery"};
constexpr string_view kSpots[] = {
    "under the bench", "behind the tree",   "in the tall grass", "under the bridge", "next to the gate",
    "behind the shed", "in the mud",        "near the pond",     "under a bush",     "on the wall",
    "beside the well", "between two rocks", "behind the fence",  "in a hole"};
constexpr string_view kFoods[] = {"apples",  "cookies",  "pears",   "plums",  "cakes",      "eggs",
                                  "carrots", "nuts",     "berries", "grapes", "sandwiches", "muffins",
                                  "oranges", "cherries", "buns",    "peaches"};
constexpr string_view kFruits[] = {"apples",   "pears",   "plums", "nuts",   "oranges",
                                   "cherries", "peaches", "figs",  "lemons", "olives"};
constexpr string_view kMeals[] = {"soup",     "bread", "rice", "cheese", "pasta", "honey",
                                  "porridge", "salad", "jam",  "pie",    "fish",  "toast"};
constexpr string_view kTraits[] = {"brave",  "kind",  "shy",      "funny",   "curious", "clever",
                                   "gentle", "quiet", "cheerful", "careful", "polite",  "friendly"};
constexpr string_view kFeelings[] = {"happy", "proud",     "excited",  "tired",  "hungry",
                                     "calm",  "surprised", "thankful", "sleepy", "glad"};
constexpr string_view kWeathers[] = {"sunny", "rainy", "windy", "cloudy", "warm", "cold", "snowy", "foggy"};
constexpr string_view kGrownUps[] = {"mother", "father", "grandmother", "grandfather",
                                     "aunt",   "uncle",  "teacher",     "neighbour"};
constexpr string_view kFears[] = {"the dark",    "deep water", "loud thunder",  "big dogs",
                                  "high places", "spiders",    "the old house", "strangers"};
constexpr string_view kNumbers[] = {"zero",     "one",      "two",      "three",   "four",    "five",
                                    "six",      "seven",    "eight",    "nine",    "ten",     "eleven",
                                    "twelve",   "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
                                    "eighteen", "nineteen", "twenty"};
}  // namespace

std::span<const Name> names() { return kNames; }
std::span<const string_view> pet_names() { return kPetNames; }
std::span<const string_view> pets() { return kPets; }
std::span<const string_view> objects() { return kObjects; }
std::span<const string_view> finds() { return kFinds; }
std::span<const string_view> colours() { return kColours; }
std::span<const string_view> places() { return kPlaces; }
std::span<const string_view> spots() { return kSpots; }
std::span<const string_view> foods() { return kFoods; }
std::span<const string_view> fruits() { return kFruits; }
std::span<const string_view> meals() { return kMeals; }
std::span<const string_view> traits() { return kTraits; }
std::span<const string_view> feelings() { return kFeelings; }
std::span<const string_view> weathers() { return kWeathers; }
std::span<const string_view> grown_ups() { return kGrownUps; }
std::span<const string_view> fears() { return kFears; }
string_view number(int value) { return kNumbers[value]; }

}  // namespace quern::data::synth
