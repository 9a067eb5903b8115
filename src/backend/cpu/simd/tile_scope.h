// The registers of the tile unit (AMX): their shapes, and the time in which a thread has them.
#pragma once

#include <immintrin.h>

namespace quern::backend::cpu::QUERN_ISA {

// A shape of up to 8 tiles: rows and bytes of a row.
class TileShapes {
 public:
  void set(int tile, int rows, int bytes) {
    config_[16 + 2 * tile] = static_cast<unsigned char>(bytes);
    config_[48 + tile] = static_cast<unsigned char>(rows);
  }
  void load() const { _tile_loadconfig(config_); }

 private:
  alignas(64) unsigned char config_[64] = {1};
};
struct TileScope {
  explicit TileScope(const TileShapes& shapes) { shapes.load(); }
  ~TileScope() { _tile_release(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

}  // namespace quern::backend::cpu::QUERN_ISA
