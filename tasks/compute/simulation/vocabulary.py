"""The words of the simulated brand: where it sells, what it sells, against whom, and who its customers are.

The brand 骋远 is invented; places and competitors are real names so that pages look as they would, the figures are not.
"""

from __future__ import annotations

from dataclasses import dataclass

BRAND = "骋远"

_CITIES = {
    "华东大区": (
        "杭州 新一线 苏州 新一线 南京 新一线 合肥 新一线 宁波 新一线 上海 一线 "
        "无锡 二线 温州 二线 金华 二线 南昌 二线 芜湖 三线"
    ),
    "华北大区": (
        "北京 一线 天津 新一线 青岛 新一线 济南 二线 石家庄 二线 太原 二线 潍坊 二线 临沂 二线 保定 三线 唐山 三线"
    ),
    "华南大区": (
        "广州 一线 深圳 一线 东莞 新一线 佛山 新一线 福州 二线 厦门 二线 泉州 二线 南宁 二线 惠州 二线 海口 三线"
    ),
    "华中大区": (
        "武汉 新一线 长沙 新一线 郑州 新一线 洛阳 三线 襄阳 三线 宜昌 三线 株洲 三线 衡阳 三线 南阳 三线 信阳 四线"
    ),
    "西南大区": ("成都 新一线 重庆 新一线 昆明 二线 贵阳 二线 绵阳 三线 遵义 三线 曲靖 四线 宜宾 四线"),
    "西北大区": "西安 新一线 兰州 二线 乌鲁木齐 二线 银川 三线 西宁 三线 宝鸡 四线",
    "东北大区": "沈阳 二线 大连 二线 长春 二线 哈尔滨 二线 吉林 三线 鞍山 四线",
}

#: region id, name, and its cities with their tier
REGIONS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = tuple(
    (f"R{number}", name, tuple(zip(cities.split()[::2], cities.split()[1::2], strict=True)))
    for number, (name, cities) in enumerate(_CITIES.items(), 1)
)

_TRADES = (
    "恒通瑞丰鑫源宏图嘉诚金桥众和顺捷天成弘毅广和德胜泰安润丰骏腾祥瑞合众锦程长风盛业"
    "华业金盛龙翔凯旋万顺佳信立成永顺富康中盛恒力汇通信达宝源诚运江海百顺东升同辉庆丰"
)
TRADES: tuple[str, ...] = tuple(_TRADES[start : start + 2] for start in range(0, len(_TRADES), 2))


@dataclass(frozen=True)
class Series:
    """One car line: its trims with list prices, its share of leads, its competitors, and where it is weak."""

    name: str
    trims: tuple[tuple[str, int], ...]
    share: float
    rivals: tuple[tuple[str, str], ...]
    close: float  # log-odds of closing against the average
    weak: tuple[tuple[str, float], ...] = ()  # reasons that weigh more here (log)


SERIES: tuple[Series, ...] = (
    Series(
        "骋远S3",
        (("S3 1.5L 进取版", 79800), ("S3 1.5T 舒适版", 92800), ("S3 1.5T 豪华版", 104800)),
        0.17,
        (("吉利", "缤越"), ("长安", "CS35PLUS"), ("本田", "缤智"), ("奇瑞", "瑞虎5x")),
        0.12,
        (("product_space_comfort", 0.5),),
    ),
    Series(
        "骋远S5",
        (("S5 1.5T 精英版", 119800), ("S5 1.5T 尊贵版", 132800), ("S5 2.0T 旗舰版", 149800)),
        0.30,
        (("哈弗", "H6"), ("长安", "CS75PLUS"), ("比亚迪", "宋PLUS"), ("吉利", "星越L")),
        0.08,
        (("supply_delivery_too_long", 0.4),),
    ),
    Series(
        "骋远S7",
        (("S7 2.0T 五座豪华版", 179800), ("S7 2.0T 七座尊享版", 199800), ("S7 插混旗舰版", 229800)),
        0.16,
        (("丰田", "汉兰达"), ("大众", "途观L"), ("比亚迪", "唐"), ("理想", "L6")),
        -0.18,
        (("price_positioned_high", 0.9), ("product_brand_not_accepted", 0.5)),
    ),
    Series(
        "骋远A6",
        (("A6 1.5T 舒适版", 99800), ("A6 1.5T 豪华版", 114800), ("A6 插混尊贵版", 134800)),
        0.17,
        (("大众", "朗逸"), ("日产", "轩逸"), ("比亚迪", "秦PLUS"), ("吉利", "帝豪")),
        0.02,
        (("product_model_outdated", 0.9), ("product_noise", 0.4)),
    ),
    Series(
        "骋远E5",
        (("E5 450km 标准版", 139800), ("E5 550km 长续航版", 159800), ("E5 四驱性能版", 189800)),
        0.14,
        (("比亚迪", "海豹"), ("小鹏", "P7"), ("特斯拉", "Model 3"), ("埃安", "AION S")),
        -0.08,
        (("product_quality_worry", 0.7), ("product_simple_configuration", 0.5)),
    ),
    Series(
        "骋远V8",
        (("V8 2.0T 商务版", 209800), ("V8 2.0T 尊贵版", 239800), ("V8 插混行政版", 279800)),
        0.06,
        (("别克", "GL8"), ("传祺", "M8"), ("丰田", "赛那"), ("腾势", "D9")),
        -0.25,
        (("price_finance_terms", 0.4),),
    ),
)


@dataclass(frozen=True)
class Source:
    """Where leads come from; ``walk_in`` customers are in the showroom when their lead is made."""

    name: str
    share: float
    close: float
    online: bool
    walk_in: bool = False


SOURCES: tuple[Source, ...] = (
    Source("官网", 0.13, -0.05, True),
    Source("垂媒", 0.27, -0.45, True),
    Source("抖音", 0.17, -0.75, True),
    Source("小程序", 0.06, -0.15, True),
    Source("自然到店", 0.19, 0.75, False, True),
    Source("老客户转介绍", 0.07, 0.95, False),
    Source("车展外拓", 0.06, -0.25, False),
    Source("电话呼入", 0.05, 0.30, False),
)

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高梁郑谢宋唐许邓韩冯曹"
    "彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任沈姚卢傅钟姜崔谭廖范汪陆金石"
)
_MEN = (
    "伟 强 磊 军 洋 勇 杰 涛 明 超 波 辉 刚 健 鹏 建国 "
    "志强 建华 海涛 文博 子轩 浩然 俊杰 宇航 国栋 立新 永刚 晓东 家豪 天宇"
)
_WOMEN = (
    "芳 娜 敏 静 丽 艳 娟 霞 秀英 桂兰 婷婷 雪梅 丹丹 晓燕 佳怡 "
    "梓涵 思雨 欣怡 玉兰 红梅 海燕 慧敏 美玲 倩 颖 琳 佩 璐 晨 阳"
)
GIVEN: tuple[str, ...] = (*_MEN.split(" "), *_WOMEN.split(" "))
MALE_GIVEN = 30  # the first so many given names

OCCUPATIONS = (
    "企业职员",
    "个体经营",
    "公务员/事业单位",
    "工人/技师",
    "教师/医护",
    "自由职业",
    "农林牧渔",
    "退休",
    "企业主",
)
OCCUPATION_SHARES = (0.30, 0.20, 0.10, 0.13, 0.08, 0.07, 0.05, 0.03, 0.04)
PURPOSES = ("上下班代步", "家庭用车", "商务用车", "营运", "自驾出游")
PURPOSE_SHARES = (0.38, 0.36, 0.12, 0.05, 0.09)
OWNED = (
    (BRAND, "骋远S5"),
    ("大众", "捷达"),
    ("别克", "凯越"),
    ("日产", "轩逸"),
    ("丰田", "卡罗拉"),
    ("本田", "思域"),
    ("哈弗", "H6"),
    ("长安", "CS75"),
    ("五菱", "宏光"),
    ("吉利", "帝豪"),
    ("现代", "伊兰特"),
    ("福特", "福克斯"),
)
INTENT_LEVELS = ("H", "A", "B", "C")
INDUSTRIES = ("物流运输", "建筑工程", "政府机关", "租赁出行", "商贸批发", "制造业")
SERVICE_ITEMS = (
    "更换机油机滤",
    "更换空调滤芯",
    "四轮定位",
    "更换刹车片",
    "钣金喷漆",
    "检查底盘异响",
    "更换蓄电池",
    "全车保养",
)
AGENTS = 40

#: month of the year -> factor of lead volume; spring festival is quiet, autumn and year end are busy
SEASON_VOLUME = (1.02, 0.72, 1.06, 0.96, 1.02, 1.0, 0.92, 0.95, 1.10, 1.06, 1.08, 1.13)
SEASON_CLOSE = (0.06, -0.08, 0.0, -0.03, 0.0, 0.02, -0.05, -0.03, 0.03, 0.0, 0.02, 0.08)
