# Writes OUTPUT, a C++ file that defines quern::assets::SYMBOL as the bytes of INPUT (see assets.cmake).
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" length)
math(EXPR size "${length} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT}
  "#include <string_view>\n\nnamespace quern::assets {\nnamespace {\nconst unsigned char bytes[] = {\n${bytes}\n};\n}\n"
  "extern const std::string_view ${SYMBOL};\n"
  "const std::string_view ${SYMBOL}(reinterpret_cast<const char*>(bytes), ${size});\n}\n")
