#include "grammar/parse_stack.h"

#include <algorithm>

namespace quern::grammar {

ParseStack::ParseStack(const std::shared_ptr<const Grammar>& grammar)
    : ParseStack(grammar, grammar->root(), grammar->rule(grammar->root()).start, true) {}

ParseStack ParseStack::open(std::shared_ptr<const Grammar> grammar, uint32_t state) {
  const uint32_t rule = grammar->state(state).rule;
  return {std::move(grammar), rule, state, false};
}

// The outermost call is node 0. It is made before the first place, so that it is complete there.
ParseStack::ParseStack(std::shared_ptr<const Grammar> grammar, uint32_t rule, uint32_t state, bool closed)
    : grammar_(std::move(grammar)) {
  nodes_.push_back({rule, 0});
  returns_.push_back({Grammar::kEnd, 1, 0, kNone});
  first_node_ = 1;
  if (closed && grammar_->rule(rule).nullable) add({Grammar::kEnd, 1});
  if (state != kNone) add({state, 0});
  if (closed) close();
  end_place();
}

void ParseStack::end_place() {
  places_.push_back({first_item_, static_cast<uint32_t>(items_.size()), static_cast<uint32_t>(nodes_.size()),
                     static_cast<uint32_t>(returns_.size())});
}

std::span<const ParseStack::Item> ParseStack::items() const {
  const Place& place = places_.back();
  return std::span(items_).subspan(place.items_begin, place.items_end - place.items_begin);
}

bool ParseStack::can_end() const {
  return std::ranges::any_of(items(), [](const Item& item) { return item.state == Grammar::kEnd; });
}

// Everything that is added from here on is of a new place.
void ParseStack::begin() {
  first_item_ = static_cast<uint32_t>(items_.size());
  first_node_ = static_cast<uint32_t>(nodes_.size());
  work_limit_ = work_ + grammar_->limits().byte_work;
}

void ParseStack::take(uint64_t steps) {
  work_ += steps;
  exhausted_ = exhausted_ || work_ > work_limit_;
}

void ParseStack::add(Item item) {
  if (exhausted_) return;
  for (size_t i = first_item_; i < items_.size(); ++i) {
    if (items_[i] == item) return;
  }
  take(1 + (items_.size() - first_item_) / 4);
  if (items_.size() - first_item_ >= grammar_->limits().items) {
    exhausted_ = true;
  } else {
    items_.push_back(item);
  }
}

bool ParseStack::push(uint8_t byte) {
  const Place before = places_.back();
  if (before.items_end - before.items_begin == 1) {
    const Item item = items_[before.items_begin];
    const uint32_t next = grammar_->next(item.state, byte);
    ++work_;
    if (next == kNone) return false;
    if (grammar_->state(next).is_plain()) return push_plain({next, item.node}, item);
  }
  begin();
  for (uint32_t i = before.items_begin; i < before.items_end; ++i) {
    const Item item = items_[i];
    const uint32_t next = grammar_->next(item.state, byte);
    if (next != kNone) add({next, item.node});
  }
  take(before.items_end - before.items_begin);
  return finish();
}

// One item with nothing to add to it, which is what most bytes lead to.
bool ParseStack::push_plain(Item item, Item before) {
  if (exhausted_ || items_.size() + returns_.size() + places_.size() > grammar_->limits().records)
    return exhausted_ = true, false;
  Place place = places_.back();
  if (item != before) {
    place.items_begin = place.items_end;
    items_.push_back(item);
    ++place.items_end;
  }
  places_.push_back(place);
  return true;
}

bool ParseStack::push_returns(uint32_t node, uint32_t turn) {
  begin();
  const Grammar::Rule& rule = grammar_->rule(nodes_[node].rule);
  for_each_return(node, [&](const Return& to) {
    const uint64_t count = uint64_t{to.count} + turn - 1;
    if (count < rule.least || count > rule.most) return;
    add(to.state == Grammar::kEnd ? Item{Grammar::kEnd, static_cast<uint32_t>(count)}
                                  : Item{to.state, to.parent});
  });
  return finish();
}

// Makes a place of the items that were added, unless there are none.
bool ParseStack::finish() {
  if (items_.size() == first_item_) return false;
  close();
  const Place before = places_.back();
  if (exhausted_ || items_.size() + returns_.size() + places_.size() > grammar_->limits().records) {
    exhausted_ = true;
    items_.resize(before.items_end);
    nodes_.resize(before.nodes_end);
    returns_.resize(before.returns_end);
    return false;
  }
  // Inside of a string nothing changes from byte to byte: share the items.
  if (std::ranges::equal(items(), std::span(items_).subspan(first_item_))) {
    items_.resize(before.items_end);
    nodes_.resize(before.nodes_end);
    returns_.resize(before.returns_end);
    places_.push_back(before);
    return true;
  }
  end_place();
  return true;
}

// Adds what follows from the items without another byte.
void ParseStack::close() {
  for (size_t i = first_item_; i < items_.size() && !exhausted_; ++i) {
    const Item item = items_[i];
    if (item.state == Grammar::kEnd) continue;
    const Grammar::State& state = grammar_->state(item.state);
    for (const Grammar::Call& call : grammar_->calls(state)) this->call(call, item);
    // A call that began here has matched nothing yet: its caller went on past it already if it may be empty.
    if (state.accepting && item.node < first_node_) complete(item.node);
  }
}

void ParseStack::call(const Grammar::Call& call, const Item& item) {
  const Grammar::Rule& rule = grammar_->rule(call.rule);
  if (rule.nullable) add({call.target, item.node});
  const uint32_t node = node_of(call.rule);
  // The last call of a rule returns where the rule would: lists by right recursion need no stack.
  const bool is_last = grammar_->state(call.target).is_last() && item.node < first_node_ && !rule.counted() &&
                       !grammar_->rule(nodes_[item.node].rule).counted();
  if (!is_last) return add_return(node, call.target, 1, item.node);
  for (uint32_t r = nodes_[item.node].first_return; r != kNone; r = returns_[r].next) {
    const Return to = returns_[r];
    add_return(node, to.state, to.count, to.parent);
  }
}

void ParseStack::complete(uint32_t node) {
  const uint32_t rule_id = nodes_[node].rule;
  const Grammar::Rule& rule = grammar_->rule(rule_id);
  for (uint32_t r = nodes_[node].first_return; r != kNone; r = returns_[r].next) {
    const Return to = returns_[r];
    const bool outermost = to.state == Grammar::kEnd;
    if (outermost || to.count >= rule.least)
      add(outermost ? Item{Grammar::kEnd, to.count} : Item{to.state, to.parent});
    if (!rule.counted() || (!outermost && to.count >= rule.most)) continue;
    // Past the least, turns that have no end are all the same.
    const bool counts = outermost || rule.most != kUnbounded || to.count < rule.least;
    add_return(node_of(rule_id), to.state, to.count + (counts ? 1 : 0), to.parent);
  }
}

// The node of calls of `rule` at the place that is being made.
uint32_t ParseStack::node_of(uint32_t rule) {
  for (size_t node = first_node_; node < nodes_.size(); ++node) {
    if (nodes_[node].rule == rule) return static_cast<uint32_t>(node);
  }
  take(1 + (nodes_.size() - first_node_) / 4);
  const auto node = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({rule, kNone});
  add({grammar_->rule(rule).start, node});
  return node;
}

void ParseStack::add_return(uint32_t node, uint32_t state, uint32_t count, uint32_t parent) {
  if (exhausted_) return;
  uint32_t length = 0;
  for (uint32_t r = nodes_[node].first_return; r != kNone; r = returns_[r].next, ++length) {
    const Return& known = returns_[r];
    if (known.state == state && known.count == count && known.parent == parent) return;
  }
  take(1 + length / 4);
  if (length >= grammar_->limits().items) {
    exhausted_ = true;
    return;
  }
  returns_.push_back({state, count, parent, nodes_[node].first_return});
  nodes_[node].first_return = static_cast<uint32_t>(returns_.size() - 1);
}

void ParseStack::pop_to(size_t depth) {
  if (depth >= this->depth()) return;
  places_.resize(depth + 1);
  const Place& place = places_.back();
  items_.resize(place.items_end);
  nodes_.resize(place.nodes_end);
  returns_.resize(place.returns_end);
  hashed_nodes_ = std::min(hashed_nodes_, nodes_.size());
  hashed_places_ = std::min(hashed_places_, places_.size());
}

uint32_t ParseStack::turns(const Item& item) const {
  if (item.state == Grammar::kEnd) return item.node;
  const Return& only = returns_[nodes_[item.node].first_return];
  if (only.state == Grammar::kEnd && only.next == kNone) return only.count;
  uint32_t fewest = kNone;
  std::vector<uint32_t> callers{item.node};
  for (size_t i = 0; i < callers.size(); ++i) {
    for_each_return(callers[i], [&](const Return& to) {
      if (to.state == Grammar::kEnd) {
        fewest = std::min(fewest, to.count);
      } else if (std::ranges::find(callers, to.parent) == callers.end()) {
        callers.push_back(to.parent);
      }
    });
  }
  return fewest;
}

uint32_t ParseStack::turns_left(uint32_t node) const {
  const uint32_t most = grammar_->rule(nodes_[node].rule).most;
  uint32_t left = 0;
  for_each_return(node, [&](const Return& to) { left = std::max(left, most - to.count); });
  return left;
}

void ParseStack::next_bytes(std::span<bool, 256> bytes) const {
  std::ranges::fill(bytes, false);
  for (const Item& item : items()) {
    for (const Automaton::ByteEdge& edge : grammar_->bytes(grammar_->state(item.state)))
      std::fill(bytes.begin() + edge.first, bytes.begin() + edge.last + 1, true);
  }
}

namespace {
uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9E3779B97F4A7C15u + b;  // the finaliser of SplitMix64
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}
}  // namespace

// Nodes of one place may refer to each other: as many rounds as nodes unfold them far enough to tell them apart.
void ParseStack::hash_nodes(uint32_t begin, uint32_t end) {
  constexpr uint32_t kMostNodes = 64;
  bool known = end - begin <= kMostNodes;
  for (uint32_t node = begin; node < end; ++node) {
    nodes_[node].hash = 1;
    for_each_return(node, [&](const Return& to) {
      known = known && (to.parent >= begin || nodes_[to.parent].hash != 0);
    });
  }
  std::vector<uint64_t> hashes(end - begin);
  for (uint32_t round = begin; round < end && known; ++round) {
    for (uint32_t node = begin; node < end; ++node) {
      uint64_t sum = 0;  // in any order
      for_each_return(node, [&](const Return& to) {
        sum += mix(mix(to.state, to.count), to.state == Grammar::kEnd ? 0 : nodes_[to.parent].hash);
      });
      hashes[node - begin] = std::max<uint64_t>(mix(nodes_[node].rule, sum), 1);
    }
    for (uint32_t node = begin; node < end; ++node) nodes_[node].hash = hashes[node - begin];
  }
  for (uint32_t node = begin; node < end && !known; ++node) nodes_[node].hash = 0;
}

std::optional<uint64_t> ParseStack::hash() {
  for (; hashed_places_ < places_.size(); ++hashed_places_) {
    const auto begin = static_cast<uint32_t>(hashed_nodes_);
    hashed_nodes_ = std::max(hashed_nodes_, size_t{places_[hashed_places_].nodes_end});
    hash_nodes(begin, static_cast<uint32_t>(hashed_nodes_));
  }
  uint64_t sum = 0;
  for (const Item& item : items()) {
    const uint64_t caller = item.state == Grammar::kEnd ? 1 : nodes_[item.node].hash;
    if (caller == 0) return std::nullopt;
    sum += mix(item.state + uint64_t{1}, caller);
  }
  return sum;
}

}  // namespace quern::grammar
